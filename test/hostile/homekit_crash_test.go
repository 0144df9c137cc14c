package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"twinbridge/internal/haptest"
	"twinbridge/test/world"
)

// reached is how far a phone came with pair-setup and the pair-verify behind it, from what it has seen itself.
type reached int

const (
	nothingSeen reached = iota
	m2Seen              // it knows salt and key
	m4Seen              // it knows that the bridge knows the code
	m6Seen              // it knows the bridge: for the phone it is paired
	verified            // and the bridge has known it again
)

func (r reached) String() string {
	return [...]string{"nothing", "M2", "M4", "M6", "M4 of pair-verify"}[r]
}

// pairUntil pairs and verifies until something goes wrong, and gives how far it came.
func (h *home) pairUntil(t *testing.T, p *phone, code string) (far reached, err error) {
	nc, err := h.dial(t, ownersAddr)
	if err != nil {
		return far, err
	}
	c := haptest.NewConn(nc)
	c.Timeout = 10 * time.Second
	defer c.Close()
	ctx := t.Context()
	s := p.Setup(code)
	items, err := c.PostTLV(ctx, pathSetup, s.M1()...)
	if err == nil {
		items, err = s.M3(items)
	}
	if err != nil {
		return far, err
	}
	far = m2Seen
	items, err = c.PostTLV(ctx, pathSetup, items...)
	if err == nil {
		items, err = s.M5(items)
	}
	if err != nil {
		return far, err
	}
	far = m4Seen
	items, err = c.PostTLV(ctx, pathSetup, items...)
	var a haptest.Accessory
	if err == nil {
		a, err = s.Finish(items)
	}
	if err != nil {
		return far, err
	}
	far, p.bridge = m6Seen, a
	v, err := p.Verify(p.bridge)
	if err == nil {
		err = c.PairVerify(ctx, v)
	}
	if err != nil {
		return far, err
	}
	return verified, nil
}

// TestHomeKitKilled kills the process at system calls of a pair-setup and the pair-verify behind it. Afterwards phone and bridge
// agree, or they can pair as if nothing had been.
//
// strace counts the calls of each thread by themselves, so the same number does not always kill at the same place. All numbers
// together, some times over, come to every place.
func TestHomeKitKilled(t *testing.T) {
	world.Need(t, "strace")
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && os.Geteuid() != 0 && strings.TrimSpace(string(scope)) != "0" && os.Getenv("CI") != "true" {
		t.Skip("only root may trace a process that was started by somebody else")
	}
	h := newHome(t, 1)
	sweeps := []sweep{{"pwrite64", []int{1, 2, 5}}, {"fdatasync", []int{1, 2, 3, 4}}, {"write", []int{1, 2, 3, 5}}, {"read", []int{2}}, {"all", []int{40, 120}}}
	if hasTime() {
		var each []int
		for n := 1; n <= 2000; n++ {
			each = append(each, n)
		}
		sweeps = nil
		for range 4 {
			for _, call := range []string{"pwrite64", "fdatasync", "write", "read", "all"} {
				sweeps = append(sweeps, sweep{call, each})
			}
		}
	}
	seen := map[reached]int{}
	kills, lost := 0, 0
	for _, s := range sweeps {
		through := 0
		for _, when := range s.whens {
			k := h.killAt(t, s.call, when)
			if !k.killed {
				if through++; through == 5 {
					break // no thread gets as far any more
				}
				continue
			}
			through = 0
			kills++
			seen[k.far]++
			if k.stored && k.far < m6Seen {
				lost++
			}
		}
	}
	t.Logf("%d kills; seen by the phone: %v; %d between stored and answered", kills, seen, lost)
	if kills < 6 || seen[m4Seen] == 0 || hasTime() && lost == 0 {
		t.Error("the sweep misses what is called")
	}
}

// sweep is which calls of a kind kill.
type sweep struct {
	call  string
	whens []int
}

// killing is what came of one.
type killing struct {
	far    reached
	killed bool
	stored bool // a pairing lies in the store
}

// killAt pairs a new phone, while a system call of that number kills the process, looks what is left, and leaves a bridge that
// nobody has paired with.
func (h *home) killAt(t *testing.T, call string, when int) (k killing) {
	t.Helper()
	at := fmt.Sprintf("%s number %d", call, when)
	before := h.bridge(t)
	tracer := world.Start(t, "strace", "-f", "-o", filepath.Join(t.TempDir(), "trace"), "-e", "trace="+call,
		"-e", "inject="+call+":signal=KILL:when="+strconv.Itoa(when), "-p", strconv.Itoa(h.PID()))
	tracer.Expect(tracer.Stderr, "attached", 30*time.Second)
	p := newPhone(t)
	far, err := h.pairUntil(t, p, before.Code)
	if err != nil {
		h.Wait(20 * time.Second) // or it was no kill that stopped it
	}
	k.far = far
	select {
	case <-h.Done():
		k.killed = true
	default:
	}
	h.Kill()
	tracer.Kill()
	k.stored = len(h.record(t, "pairings", nil, false)) > len("[]")
	h.start(t)

	b := h.bridge(t)
	if b.ID != before.ID {
		t.Fatalf("%s: it is %s now, was %s", at, b.ID, before.ID)
	}
	if far < m6Seen {
		// The phone believes that it is not paired: so must the bridge.
		if b.Paired || b.Code != before.Code {
			t.Fatalf("%s: the phone has seen %v, and the bridge says %+v", at, far, b)
		}
		p = newPhone(t)
		if err := h.tryPair(t, p, b.Code); err != nil {
			t.Fatalf("%s: the phone has seen %v, and cannot pair again: %v", at, far, err)
		}
	} else if far == verified && !b.Paired {
		t.Fatalf("%s: the phone has verified, and the bridge says %+v", at, b)
	}
	c, err := h.trySecure(t, p, ownersAddr)
	if err != nil {
		t.Fatalf("%s: the phone has seen %v, and cannot come back: %v", at, far, err)
	}
	defer c.Close()
	if b = h.bridge(t); !b.Paired || len(b.Controllers) != 1 || b.Controllers[0].ID != p.ID || !b.Controllers[0].Admin {
		t.Fatalf("%s: the bridge says %+v, want this phone alone", at, b)
	}
	p.look(t, c)
	h.follows(t, p, at)
	if err := c.RemovePairing(t.Context(), p.ID); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	gone(t, c, 5*time.Second)
	h.unpaired(t, at)
	return k
}
