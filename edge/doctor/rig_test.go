package doctor

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is a node that gives an answer.
func answering(h Health, err error) *Node {
	return NewNode(func(context.Context) (Health, error) { return h, err })
}

var (
	errOther = errors.New("something else")
	healthy  = Health{Node: "attic", Version: "1", Uptime: "3s", Devices: 1, Online: 1, PID: 7, Hub: "connected"}
)

func running() *Node { return answering(healthy, nil) }
func stopped() *Node { return answering(Health{}, ErrNotRunning) }
func strange() *Node { return answering(Health{}, errOther) }

// want is what a finding has to be: its status, and words of what was seen and advised.
type want struct {
	status Status
	seen   string
	advice string // "": nothing has to be advised
}

func (w want) check(t *testing.T, f Finding) {
	t.Helper()
	if f.Status != w.status {
		t.Errorf("status %s, want %s: %q", f.Status, w.status, f.Seen)
	}
	has := func(list []string, s string) bool {
		return slices.ContainsFunc(list, func(l string) bool { return strings.Contains(l, s) })
	}
	if !has(f.Seen, w.seen) {
		t.Errorf("seen %q, want %q", f.Seen, w.seen)
	}
	if w.advice != "" && !has(f.Advice, w.advice) {
		t.Errorf("advice %q, want %q", f.Advice, w.advice)
	}
	if (f.Status == Fail || f.Status == Warn) && w.advice == "" && len(f.Advice) == 0 {
		t.Errorf("status %s without a word about what to do: %q", f.Status, f.Seen)
	}
}

func look(t *testing.T, c Check) Finding {
	t.Helper()
	r := Run(t.Context(), []Check{c})
	if len(r) != 1 || r[0].Name != c.Name || c.Name == "" {
		t.Fatalf("results %v of check %q", r, c.Name)
	}
	return r[0].Finding
}

// scripted serves one connection on loopback by a function, and gives a Dial that leads there.
func scripted(t *testing.T, serve func(net.Conn)) Dial {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return SystemDial(ctx, network, l.Addr().String())
	}
}

func failing(err error) Dial {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }
