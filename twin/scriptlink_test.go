package twin_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"twinbridge/twin"
)

// stepLink runs a line of a script that is about the session with the hub.
func (r *rig) stepLink(cmd string, args []string) (string, error) {
	r.t.Helper()
	switch cmd {
	case "link":
		r.link(args)
	case "unlink":
		r.node.LinkDown()
	case "cloud":
		return "", r.cloud(args)
	case "told":
		return r.told(), nil
	case "ack":
		r.node.Acked(r.now, r.hub.LastRev)
	case "dealt":
		return fmt.Sprint(r.view().CloudNumber), nil
	default:
		return "", errors.New("no such step")
	}
	return "", nil
}

// link begins a session with a hub that holds all that was told; store=X makes it another hub store, which knows
// nothing, old forgets the opening that the hub names.
func (r *rig) link(args []string) {
	r.sessions++
	h := r.hub
	h.HubStore, h.Session = r.hubStore, fmt.Sprintf("s%d", r.sessions)
	for _, a := range args {
		switch k, v, _ := strings.Cut(a, "="); k {
		case "store":
			r.hubStore, r.number = v, 0
			h = twin.HubHello{HubStore: v, Session: h.Session}
		case "opening":
			h.LastOpening = v
		}
	}
	r.node.LinkUp(r.now, h)
}

// told takes the decisions as a hub would, and lists them without their revs.
func (r *rig) told() string {
	var out []string
	for {
		d, ok := r.node.Decisions()
		if !ok {
			break
		}
		for i := range d.Devices {
			m := &d.Devices[i]
			if m.Definition != nil {
				out = append(out, fmt.Sprintf("def:%d", m.Definition.Generation))
			}
			for _, p := range m.Props {
				out = append(out, p.Name+"="+p.Expected.String()+"/"+string(p.Origin))
			}
			out = append(out, outcomes(m.Outcomes)...)
		}
		for _, g := range d.Gone {
			if g.Removed {
				out = append(out, "gone")
			}
			out = append(out, outcomes(g.Outcomes)...)
		}
		r.hub.NodeStore, r.hub.LastRev, r.hub.LastOpening = d.NodeStore, d.Rev, d.Opening
	}
	return strings.Join(out, " ")
}

func outcomes(told []twin.OutcomeTold) (out []string) {
	for _, o := range told {
		out = append(out, fmt.Sprintf("%d:%s:%s", o.Number, o.ID, o.Outcome))
	}
	return out
}

// cloud hands in "ID [validFor] [left=D] [nr=N] [waited] [seen=R|now|other] [insist] [guard=P:R] [question] [uid=U] P=V...".
// A wish is live, under the next number, and had seen nothing, if nothing else is said.
func (r *rig) cloud(args []string) error {
	c := twin.CloudWish{
		Device: lampName, UID: r.uid, Session: r.node.Session(), SeenStore: r.node.StoreID(),
		Wish: twin.Wish{ID: args[0], Origin: twin.FromCloud}, Seen: map[string]uint64{},
	}
	r.number++
	c.Number = r.number
	var values []string
	seen, left := "", time.Duration(-1)
	for _, a := range args[1:] {
		key, arg, pair := strings.Cut(a, "=")
		switch {
		case key == "waited":
			c.Session = ""
		case key == "carried": // over a cut: made in an earlier session
			c.Session = "s0"
		case key == "insist":
			c.Insist = true
		case key == "question":
			c.Question = "hub restored"
		case !pair:
			d, err := time.ParseDuration(a)
			if err != nil {
				return err
			}
			c.ValidFor = d
		case key == "left":
			d, err := time.ParseDuration(arg)
			if err != nil {
				return err
			}
			left = d
		case key == "nr":
			c.Number = r.rev("", arg)
			r.number = max(r.number-1, c.Number)
		case key == "uid":
			c.UID = arg
		case key == "seen":
			seen = arg
		case key == "guard":
			p, rev, _ := strings.Cut(arg, ":")
			c.Guard = map[string]uint64{p: r.rev(p, rev)}
		default:
			values = append(values, a)
		}
	}
	c.Values = r.values(values)
	c.Remaining = c.ValidFor
	if left >= 0 {
		c.Remaining = left
	}
	for p := range c.Values {
		switch seen {
		case "":
		case "other":
			c.SeenStore, c.Seen[p] = "store-of-before", 1<<40
		default:
			c.Seen[p] = r.rev(p, seen)
		}
	}
	r.node.OfferCloud(r.now, c)
	return nil
}
