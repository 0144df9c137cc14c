package twin_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"twinbridge/twin"
)

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
	got := map[string]string{
		"e": p.Expected.String(), "a": p.Actual.String(), "w": wish, "t": trouble, "off": offered,
		"by": string(p.Origin), "shown": p.Shown().String(), "left": p.Remaining.String(),
	}
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
