package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"
)

// ErrNotRunning is what a probe gives where no node answers.
var ErrNotRunning = errors.New("no node runs")

// Health is what a running node says of itself.
type Health struct {
	Node, Version, Uptime string
	Trouble               string // what makes it degraded; "": nothing
	Hub                   string // how its link to the hub is, in words; "": it has joined none
	Devices, Online       int
	PID                   int // of its process; 0: not known
}

// Node asks a running node how it is, once, for all checks that want to know.
type Node struct {
	ask   func(ctx context.Context) (Health, error)
	asked atomic.Bool
	said  chan struct{} // closed when h and err are there
	h     Health
	err   error
}

// askTime bounds the question.
const askTime = 3 * time.Second

// NewNode makes a Node of a probe, which gives an error that is ErrNotRunning where nobody answers.
func NewNode(ask func(ctx context.Context) (Health, error)) *Node {
	return &Node{ask: ask, said: make(chan struct{})}
}

// Health gives what the node said when it was asked. Whoever is first asks; the others wait for the answer, which is
// there or given up within 3 s.
func (n *Node) Health(ctx context.Context) (Health, error) {
	if n.asked.CompareAndSwap(false, true) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		n.h, n.err = n.ask(ctx)
		close(n.said)
	}
	<-n.said
	return n.h, n.err
}

// CheckNode repeats what the node says of itself. socket is where it was asked, start the command that starts it.
func CheckNode(n *Node, socket, start string) Check {
	return Check{Name: "node", Look: func(ctx context.Context) Finding {
		h, err := n.Health(ctx)
		switch {
		case errors.Is(err, ErrNotRunning):
			return found(Fail, "no node runs: nobody answers on "+socket,
				"start it: "+start,
				"if it ends at once it says why; under systemd: journalctl -u twinbridge -e",
				"if it runs on another data folder, name that by --data")
		case errors.Is(err, fs.ErrPermission):
			return found(Skipped, "a node may run, but this user may not ask it: "+err.Error(),
				"run this as the user of the node, or as root")
		case err != nil:
			return found(Fail, "the node does not answer as it should: "+err.Error(),
				"see its log; if it hangs, stop it and start it again")
		}
		seen := fmt.Sprintf("node %s, version %s, up %s, devices online: %d of %d", h.Node, h.Version, h.Uptime, h.Online, h.Devices)
		if h.Trouble != "" {
			return found(Fail, seen+"; trouble: "+h.Trouble, "the trouble is the node's own word; its log says since when")
		}
		if h.Online < h.Devices {
			return found(Warn, seen, "see which device is offline by: twinbridge device list",
				"a device is offline while no mapper can reach it: see the check gpio, and the log of the node or the mapper")
		}
		if h.Devices == 0 {
			return found(Warn, seen, "no device is defined yet: put a manifest into the devices folder, or: twinbridge apply -f FILE")
		}
		return found(OK, seen)
	}}
}
