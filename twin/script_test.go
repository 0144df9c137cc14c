package twin_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

// A row is a sentence of the rules and a history in which it shows. The history is a script, a step a line:
//
//	device drift=hold cycle=5s     define the lamp with annotations; or change it
//	ready power=OFF level=50       the mapper (connection c1) says online, reports, all is committed, 10 s pass
//	ask w1 power=ON                a wish of the house; "ask p1 30s power=ON" is a press; guard=power:7 guards it
//	report power=ON                a report of a mapper without echo; power=? is an error of that property
//	echo power=ON#w1 level=5!      a report of a mapper with echo: #w1 names the wish, ! marks an act
//	state online | lost c1 | closed c1 | from c2 | subscribe
//	wait 5s | commit | fail | take | done | restart | newfile | delete
//	link | link store=hub-2 | unlink | cloud c1 power=ON [waited] [seen=now|7] ... | ack
//	see power e=ON a=OFF w=w1      expected, actual, pending wish ("-": none, "restore"), by=origin, t=trouble, off=yes
//	offers 1 | revs 0 | look       how often an offer fell due, how many revs were taken since the last look
//	mark power                     remember the rev that the view shows of power, for seen=mark
//	outcome w1 -> superseded ...   a step with "->" compares what it gives; "..." at the end: the start is compared
type row struct {
	rule   string
	script string
}

func runRows(t *testing.T, rows []row) {
	t.Helper()
	for _, tc := range rows {
		t.Run(tc.rule, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			r.play(tc.script)
		})
	}
}

// play runs a script to its end.
func (r *rig) play(text string) {
	r.t.Helper()
	playWith(r.t, text, r.step)
}

func playWith(t testing.TB, text string, do func(cmd string, args []string) (string, error)) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		step, want, compare := strings.Cut(line, "->")
		words := strings.Fields(step)
		got, err := do(words[0], words[1:])
		want = strings.TrimSpace(want)
		switch {
		case !compare && err != nil:
			t.Fatalf("%s: %v", line, err)
		case !compare:
			continue
		case err != nil:
			got = describe(err)
		}
		head, open := strings.CutSuffix(want, "...")
		if got != want && !(open && strings.HasPrefix(got, strings.TrimSpace(head))) {
			t.Fatalf("%s\n got  %s\n want %s", strings.TrimSpace(step), got, want)
		}
	}
}

// describe names the kind of an error that a caller decides on.
func describe(err error) string {
	var refused *twin.RefusedError
	switch {
	case errors.As(err, &refused):
		return err.Error()
	case errors.Is(err, twin.ErrPrecondition):
		return "precondition"
	case errors.Is(err, twin.ErrNotFound):
		return "not found"
	case errors.Is(err, twin.ErrWishUnknown):
		return "no such wish"
	case errors.Is(err, twin.ErrNotOwner):
		return "not owner"
	}
	return "error: " + err.Error()
}

// step runs one line of a script.
func (r *rig) step(cmd string, args []string) (string, error) {
	r.t.Helper()
	switch cmd {
	case "device":
		r.configure(args)
		r.commit()
		r.look()
	case "ready":
		return "", r.ready(args)
	case "ask":
		return r.ask(lampName, args)
	case "nowhere":
		return r.ask(twin.Name{Namespace: "default", Name: "nowhere"}, args)
	case "report":
		return r.report(args, false)
	case "echo":
		return r.report(args, true)
	case "state":
		return "", r.node.State(r.now, lampName, args[0], r.conn)
	case "from":
		r.conn = strings.Join(args, "")
	case "lost":
		r.node.ConnLost(r.now, args[0])
	case "closed":
		r.node.ConnClosed(r.now, args[0])
	case "look":
		r.look()
	case "mark":
		r.mark = r.rev(args[0], "now")
	case "subscribe":
		return "", r.node.Offer(r.now, lampName)
	case "wait":
		d, err := time.ParseDuration(args[0])
		r.wait(d)
		return "", err
	case "see":
		return "", r.see(args[0], args[1:])
	case "presence":
		v := r.view()
		return strings.TrimSpace(string(v.Presence) + " " + v.PresenceText), nil
	case "offers", "revs":
		return "", r.count(cmd, args[0])
	case "outcome":
		return r.outcome(args[0])
	case "delete":
		return "", r.node.Delete(r.now, lampName)
	case "again": // the device is created anew
		r.define(nil, nil)
	default:
		if ok := r.stepDisk(cmd); !ok {
			return r.stepLink(cmd, args)
		}
	}
	return "", nil
}

func (r *rig) stepDisk(cmd string) bool {
	switch cmd {
	case "commit":
		r.commit()
	case "fail":
		r.fail()
	case "take":
		r.take()
	case "done":
		r.done(nil)
	case "restart":
		r.open()
		r.commit()
	case "newfile":
		r.file += "x"
	default:
		return false
	}
	return true
}

func (r *rig) ready(args []string) error {
	if err := r.node.State(r.now, lampName, "online", r.conn); err != nil {
		return err
	}
	if _, err := r.report(args, false); err != nil {
		return err
	}
	r.commit()
	r.wait(10 * time.Second)
	r.look()
	return nil
}
