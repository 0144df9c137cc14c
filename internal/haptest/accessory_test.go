package haptest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/brutella/hap"
	"github.com/brutella/hap/accessory"
	"go.uber.org/goleak"
)

const (
	foreignCode = "518-08-582"
	foreignEnv  = "TWINBRIDGE_TEST_ACCESSORY"
)

func TestMain(m *testing.M) {
	if os.Getenv(foreignEnv) != "" {
		if err := beForeign(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// beForeign is an accessory of brutella/hap with two lamps, until its input ends. It is a process of its own, as the race
// detector finds races in it.
func beForeign() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	var lamps []*accessory.A
	for range 2 {
		lamps = append(lamps, accessory.NewColoredLightbulb(accessory.Info{Name: "Lamp", SerialNumber: "01", Firmware: "1.0"}).A)
	}
	s, err := hap.NewServer(hap.NewMemStore(), accessory.NewBridge(accessory.Info{Name: "Foreign", Firmware: "1.0"}).A, lamps...)
	if err != nil {
		return err
	}
	s.Addr, s.Pin, s.Ifaces = addr, strings.ReplaceAll(foreignCode, "-", ""), []string{"lo"}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(addr)
	_ = s.ListenAndServe(ctx) // always an error at the end
	return nil
}

// foreign starts such a process and gives its address.
func foreign(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), foreignEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // with the race detector it does not end well
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimSpace(line)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := Open(ctx, addr); err == nil {
			_ = c.Close()
			return addr
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the accessory does not listen")
		}
	}
}

func controller(t *testing.T) *Controller {
	t.Helper()
	c, err := NewController()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dial connects and reads. This accessory may take the first bytes behind pair-verify for plain text and then never
// answer, and may encrypt its last message of pair-verify already, so it has more than one try.
func dial(t *testing.T, c *Controller, addr string, a Accessory) *Conn {
	t.Helper()
	for range 50 {
		conn, err := c.Dial(t.Context(), addr, a)
		if err != nil {
			t.Logf("not verified: %v", err)
			continue
		}
		conn.Timeout = 200 * time.Millisecond
		_, err = conn.Get(t.Context(), []ID{{1, 3}})
		conn.Timeout = 0
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		t.Logf("not answered behind pair-verify: %v", err)
		_ = conn.Close()
	}
	t.Fatal("the accessory does not answer")
	return nil
}

// TestForeign does with an accessory that we did not write what an owner does.
func TestForeign(t *testing.T) {
	ctx := t.Context()
	addr := foreign(t)
	c := controller(t)
	if _, err := pairUp(t, c, addr, "518-08-583"); !refusedWith(err, CodeAuthentication) {
		t.Errorf("a wrong code: %v", err)
	}
	a, err := pairUp(t, c, addr, foreignCode)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pairUp(t, c, addr, foreignCode); !refusedWith(err, CodeUnavailable) {
		t.Errorf("paired already: %v", err)
	}
	if _, err := controller(t).Dial(ctx, addr, a); err == nil {
		t.Error("a stranger was verified")
	}
	if _, err := c.Dial(ctx, addr, Accessory{ID: a.ID, Key: c.Public()}); !errors.Is(err, errSignature) {
		t.Errorf("an accessory with another key: %v", err)
	}

	conn, second := dial(t, c, addr, a), dial(t, c, addr, a)
	db, err := conn.Accessories(ctx)
	if err != nil {
		t.Fatal(err)
	}
	on := db.Find("25")
	if len(db.Accessories) != 3 || len(on) != 2 {
		t.Fatalf("%d accessories, %d lamps", len(db.Accessories), len(on))
	}
	if err := second.Subscribe(ctx, on...); err != nil {
		t.Fatal(err)
	}
	if list, err := conn.Put(ctx, Set(on[0], "true")); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	ev, err := second.Event(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ev.Characteristics()
	if err != nil || len(list) != 1 || list[0].AID != on[0].AID || list[0].IID != on[0].IID || string(list[0].Value) == "false" {
		t.Errorf("event %s: %v", ev.Body, err)
	}
	got, err := second.Get(ctx, on)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if v := string(got[0].Value); v != "1" && v != "true" {
		t.Errorf("the lamp reads %s", v)
	}
}

// pairUp pairs. This accessory calls itself busy for as long as it has not noticed that the connection before is closed.
func pairUp(t *testing.T, c *Controller, addr, code string) (Accessory, error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		a, err := c.PairSetup(t.Context(), addr, code)
		if !refusedWith(err, CodeBusy) {
			return a, err
		}
		<-tick.C
	}
	t.Fatal("the accessory stays busy")
	return Accessory{}, nil
}

func refusedWith(err error, code Code) bool {
	var r *RefusedError
	return errors.As(err, &r) && r.Code == code
}
