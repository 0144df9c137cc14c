package dnssd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/grandcat/zeroconf"
	"go.uber.org/goleak"

	"twinbridge/pairing/dnssd"
)

// role says what a process of this binary is, other than the tests.
const role = "TWINBRIDGE_DNSSD_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "responder":
		os.Exit(beResponder(os.Stdin, os.Stdout))
	case "browser":
		os.Exit(beBrowser(os.Args[1], os.Stdout))
	}
	os.Exit(m.Run())
}

// An order is one line to a responder.
type order struct {
	Do  string // register, txt, close, stats, starts
	ID  int    // of a registration, in order from 0
	S   dnssd.Service
	TXT []string
	N   int
}

// A report is its answer.
type report struct {
	Error string
	Name  string
	Took  time.Duration // from the call to the first announcement
	Tooks []time.Duration
	Stats dnssd.Stats
}

// beResponder runs a responder and does what it is told until its input ends.
func beResponder(in io.Reader, out io.Writer) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	conf := dnssd.Config{Host: os.Getenv(role + "_HOST"), Log: log}
	if name := os.Getenv(role + "_INTERFACE"); name != "" {
		conf.Interfaces = []string{name}
	}
	r, err := dnssd.New(conf)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var regs []*dnssd.Registration
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for lines.Scan() {
		var o order
		var a report
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			a.Error = err.Error()
		}
		switch o.Do {
		case "register":
			began := time.Now()
			g, err := r.Register(o.S)
			if err != nil {
				a.Error = err.Error()
				break
			}
			regs = append(regs, g)
			<-g.Announced()
			a.Took, a.Name = time.Since(began), g.Name()
		case "txt":
			regs[o.ID].SetTXT(o.TXT)
		case "close":
			regs[o.ID].Close()
		case "name":
			a.Name = regs[o.ID].Name()
		case "stats":
			a.Stats = r.Stats()
		case "starts":
			a.Tooks = starts(ctx, o.N)
		}
		if err := answers.Encode(a); err != nil {
			return 1
		}
	}
	stop()
	err = <-done
	if leak := goleak.Find(); err != nil || leak != nil {
		fmt.Fprintln(os.Stderr, err, leak)
		return 1
	}
	return 0
}

// starts runs many responders and gives how long each took to its first announcement.
func starts(ctx context.Context, n int) []time.Duration {
	out := make([]time.Duration, n)
	ctx, stop := context.WithCancel(ctx)
	var runs, wg sync.WaitGroup
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		wg.Go(func() {
			began := time.Now()
			r, err := dnssd.New(dnssd.Config{Host: fmt.Sprintf("start-%d", i)})
			if err != nil {
				return
			}
			runs.Go(func() { _ = r.Run(ctx) })
			g, err := r.Register(dnssd.Service{Instance: fmt.Sprintf("Start %d", i), Type: "_hap._tcp", Port: 1})
			if err != nil {
				return
			}
			<-g.Announced()
			out[i] = time.Since(began)
		})
	}
	wg.Wait()
	stop()
	runs.Wait()
	return out
}

// An entry is a service as zeroconf sees it.
type entry struct {
	Instance, HostName string
	Port               int
	Text               []string
	AddrIPv4, AddrIPv6 []net.IP
}

// beBrowser looks with another library for what there is of a type, for three seconds.
func beBrowser(kind string, out io.Writer) int {
	res, err := zeroconf.NewResolver()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Second)
	defer stop()
	entries := make(chan *zeroconf.ServiceEntry, 100)
	if err := res.Browse(ctx, kind, "local.", entries); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	enc := json.NewEncoder(out)
	for e := range entries {
		// The entry itself leaves its addresses out.
		if err := enc.Encode(entry{e.Instance, e.HostName, e.Port, e.Text, e.AddrIPv4, e.AddrIPv6}); err != nil {
			return 1
		}
	}
	return 0
}

// A node is a responder in a process of its own.
type node struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	ended bool
}

// start runs a responder in a namespace.
func (n *network) start(ns, host string, env ...string) *node {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := within(ctx, ns, os.Args[0])
	cmd.Env = append(append(os.Environ(), role+"=responder", role+"_HOST="+host), env...)
	cmd.Stderr = &logOf{t: n.t, who: host}
	in, err := cmd.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	p := &node{t: n.t, cmd: cmd, in: in, out: json.NewDecoder(out)}
	n.t.Cleanup(func() { p.end(); cancel() })
	return p
}

func (p *node) do(o order) report {
	p.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		p.t.Fatal(err)
	}
	var a report
	if err := p.out.Decode(&a); err != nil {
		p.t.Fatalf("no answer to %q: %v", o.Do, err)
	}
	if a.Error != "" {
		p.t.Fatalf("%s: %s", o.Do, a.Error)
	}
	return a
}

// end has the process say goodbye and end.
func (p *node) end() {
	if p.ended {
		return
	}
	p.ended = true
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the responder's process: %v", err)
	}
}

// logOf passes what a process says to the test.
type logOf struct {
	t   testing.TB
	who string
}

func (l *logOf) Write(b []byte) (int, error) {
	l.t.Logf("%s: %s", l.who, b)
	return len(b), nil
}
