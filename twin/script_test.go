package twin_test

import (
	"errors"
	"fmt"
	"strconv"
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

// ask hands in "ID [validFor] [origin=O] [guard=P:rev] P=V...".
func (r *rig) ask(name twin.Name, args []string) (string, error) {
	w, err := r.wish(args)
	if err != nil {
		return "", err
	}
	v, err := r.node.Ask(r.now, name, w)
	return string(v.Outcome), err
}

func (r *rig) wish(args []string) (twin.Wish, error) {
	w := twin.Wish{ID: args[0], Asker: "test", Origin: twin.FromLocal}
	var values []string
	for _, a := range args[1:] {
		key, arg, pair := strings.Cut(a, "=")
		switch {
		case key == "insist":
			w.Insist = true
		case !pair:
			d, err := time.ParseDuration(a)
			if err != nil {
				return w, err
			}
			w.ValidFor = d
		case key == "origin":
			w.Origin = twin.Origin(arg)
		case key == "guard":
			p, rev, _ := strings.Cut(arg, ":")
			w.Guard = map[string]uint64{p: r.rev(p, rev)}
		default:
			values = append(values, a)
		}
	}
	w.Values = r.values(values)
	return w, nil
}

// rev reads a rev: a number, "now" for the one that the property's view shows, "mark" for the one that it showed.
func (r *rig) rev(prop, s string) uint64 {
	if s == "mark" {
		return r.mark
	}
	if s == "now" {
		v := r.view()
		return v.Prop(prop).Rev
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		r.t.Fatalf("rev %q: %v", s, err)
	}
	return n
}

func (r *rig) report(args []string, echo bool) (string, error) {
	rep := twin.Report{Props: map[string]twin.PropReport{}, Echo: echo, Conn: r.conn}
	for _, a := range args {
		name, text, _ := strings.Cut(a, "=")
		var pr twin.PropReport
		text, pr.Act = strings.CutSuffix(text, "!")
		text, pr.Wish, _ = strings.Cut(text, "#")
		if text == "?" {
			pr.Error = "relay stuck"
		} else {
			pr.Value = r.value(name, text)
		}
		rep.Props[name] = pr
	}
	unknown, err := r.node.Report(r.now, lampName, rep)
	return strings.Join(unknown, ","), err
}

// see compares what the view shows of a property, in the fields that are named.
func (r *rig) see(prop string, fields []string) error {
	v, err := r.node.View(r.now, lampName)
	if err != nil {
		return err
	}
	return see(v, prop, fields)
}

func see(v twin.View, prop string, fields []string) error {
	p := v.Prop(prop)
	if p == nil {
		return fmt.Errorf("no property %s", prop)
	}
	wish, trouble, offered := "-", "-", "no"
	if p.Wish != "" {
		wish = p.Wish
	}
	if p.Restore {
		wish = "restore"
	}
	if p.Trouble != "" {
		trouble = "yes"
	}
	if p.Offered {
		offered = "yes"
	}
	got := map[string]string{"e": p.Expected.String(), "a": p.Actual.String(), "w": wish, "t": trouble, "off": offered,
		"by": string(p.Origin), "shown": p.Shown().String(), "left": p.Remaining.String()}
	for _, f := range fields {
		k, want, _ := strings.Cut(f, "=")
		if g, ok := got[k]; !ok || g != want {
			return fmt.Errorf("%s: got %s=%s, want %s=%s (all: %v)", prop, k, g, k, want, got)
		}
	}
	return nil
}

func (r *rig) count(what, arg string) error {
	got := r.view().OfferSeq - r.offers
	if what == "offers" {
		r.offers = r.view().OfferSeq
	} else {
		got = r.node.Rev() - r.revs
		r.revs = r.node.Rev()
	}
	if strconv.FormatUint(got, 10) != arg {
		return fmt.Errorf("got %d %s, want %s", got, what, arg)
	}
	return nil
}

// outcome describes a wish as its asker reads it.
func (r *rig) outcome(id string) (string, error) {
	v, err := r.node.WishView(lampName, id)
	if err != nil {
		return "", err
	}
	return tell(v), nil
}

func tell(v twin.WishView) string {
	s := string(v.Outcome)
	switch {
	case v.Trouble != "":
		s += ", trouble: " + v.Trouble
	case v.Outcome == twin.Superseded && v.By != "":
		s += " by " + v.By + ": " + strings.Join(v.Lost, ",")
	case v.Outcome != twin.Applied && v.Reason != "":
		s += ": " + v.Reason
	}
	return s
}

// configure changes the lamp's definition: annotations, and cycle=5s for the reporting cycle of power.
func (r *rig) configure(words []string) {
	r.t.Helper()
	notes := map[string]string{}
	var cycle time.Duration
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if k != "cycle" {
			notes[k] = v
			continue
		}
		d, err := time.ParseDuration(v)
		if err != nil {
			r.t.Fatalf("cycle: %v", err)
		}
		cycle = d
	}
	r.define(notes, func(d *twin.Device) { d.Properties[0].ReportCycle = cycle })
}
