package twin

import (
	"slices"
	"strings"
	"time"
)

// CloudWish is a wish of the cloud as the hub offers it (rule 3).
type CloudWish struct {
	Device Name
	UID    string // of the creation that the asker meant
	Number uint64 // per device, under the hub's store id
	Wish
	// Seen gives, per property, the rev of the last decision that the asker's view showed, under SeenStore.
	Seen      map[string]uint64
	SeenStore string
	// Session is the session in which the wish was made; "" if the node was away.
	Session string
	// Remaining is what is left of a press's time; meaningless for a standing wish.
	Remaining time.Duration
	// Question, if set, asks what became of a wish that was sent once; it is not to be carried out any more. A node that
	// does not know it ends it superseded, by the cause that Question names.
	Question string
}

// OfferCloud takes a wish that the hub offers in the present session. Accepting, refusing and the number are one
// decision; nothing happens outside before it is on disk. The outcome is told with the decisions (rule 1).
func (n *Node) OfferCloud(now Now, c CloudWish) {
	n.begin(now)
	if n.link == nil {
		return
	}
	d := n.devices[c.Device]
	if d == nil || d.def.UID != c.UID {
		n.answerGone(c)
		return
	}
	if c.Number <= d.dealt {
		n.dealtWith(d, c)
		return
	}
	d.dealt, d.dealID = c.Number, c.ID
	n.decide(d)
	defer n.arm(d)
	if n.recognise(d, c) {
		return
	}
	w := n.newWish(&c.Wish)
	w.number = c.Number
	if c.Press() {
		w.endsAt = now.Mono + c.Remaining
	}
	if c.Question != "" {
		w.by, w.lost = c.Question, w.order
		n.end(d, w, Superseded, "by "+c.Question)
		return
	}
	if err := d.check(&c.Wish); err != nil {
		n.end(d, w, Refused, strings.TrimPrefix(err.Error(), "refused: "))
		return
	}
	waited := c.Session == "" || c.Session != n.link.session
	switch {
	case c.Press() && c.Remaining <= 0:
		n.end(d, w, Expired, "no time was left when it arrived")
	case n.guardBroken(d, c):
		n.end(d, w, Superseded, "expected has changed since it was read")
	case c.Press() && d.presence == Offline:
		n.end(d, w, Refused, "the device is offline")
	case d.full(n.acked):
		n.end(d, w, Refused, "too many wishes of this device have not ended")
	case waited && !c.Insist && !d.def.Policy.CloudInsists && n.houseWon(d, w, c):
	case d.isNoop(&c.Wish):
		n.end(d, w, Applied, "")
	default:
		n.accept(d, w)
	}
}

// dealtWith answers a wish whose number was dealt with: its outcome is told with its rev. One that never came, because
// the hub had ended it before it lost that, is not carried out so late.
func (n *Node) dealtWith(d *device, c CloudWish) {
	if d.cloudIndex(c.ID) >= 0 || d.known(c.ID) != nil {
		return
	}
	w := n.newWish(&c.Wish)
	w.number, w.by, w.lost = c.Number, "hub restored", w.order
	n.decide(d)
	n.end(d, w, Superseded, "by hub restored")
}

// recognise finds a wish by id that comes under a new number: its fate goes on, or its outcome is told again.
func (n *Node) recognise(d *device, c CloudWish) bool {
	if i := d.cloudIndex(c.ID); i >= 0 {
		n.hide(d.cloud[i].Rev)
		rec := d.cloud[i]
		rec.Number, rec.Rev = c.Number, n.stepRev
		n.keepCloud(d, rec)
		return true
	}
	if t := n.gone[c.UID]; t != nil { // the device was moved away and has come back
		if i := slices.IndexFunc(t.Outcomes, func(r cloudRecord) bool { return r.ID == c.ID }); i >= 0 {
			rec := t.Outcomes[i]
			rec.Number, rec.Rev = c.Number, n.stepRev
			n.keepCloud(d, rec)
			return true
		}
	}
	w := d.known(c.ID)
	if w == nil {
		return false
	}
	w.number = c.Number
	if w.outcome.Ended() { // one that the house had asked for
		w.rev = n.stepRev
		n.recordCloud(d, w)
	}
	return true
}

// guardBroken: a guarded wish is refused unless each property's last decision is the one that was read (rule 4).
func (n *Node) guardBroken(d *device, c CloudWish) bool {
	for p, rev := range c.Guard {
		if s, _ := d.p(p); s == nil || c.SeenStore != n.meta.StoreID || s.rev != rev {
			return true
		}
	}
	return false
}

// houseWon ends a wish that waited while the house acted on one of its properties (rule 4).
func (n *Node) houseWon(d *device, w *wish, c CloudWish) bool {
	for _, name := range w.order {
		s, _ := d.p(name)
		seen := c.Seen[name]
		if c.SeenStore != n.meta.StoreID {
			seen = 0
		}
		if s.act > seen || s.settle != 0 {
			w.by, w.lost = "house", []string{name}
			n.end(d, w, Superseded, "by the house: "+name)
			return true
		}
	}
	return false
}

// answerGone ends a wish for a creation that is no more.
func (n *Node) answerGone(c CloudWish) {
	t := n.gone[c.UID]
	if t == nil {
		t = &tombstone{Name: c.Device, UID: c.UID}
		n.gone[c.UID] = t
	}
	if slices.ContainsFunc(t.Outcomes, func(r cloudRecord) bool { return r.ID == c.ID && r.Number == c.Number }) {
		return
	}
	if i := slices.IndexFunc(t.Outcomes, func(r cloudRecord) bool { return r.ID == c.ID }); i >= 0 {
		n.hide(t.Outcomes[i].Rev)
		t.Outcomes[i].Number, t.Outcomes[i].Rev = c.Number, n.decide(nil)
	} else {
		t.Outcomes = append(t.Outcomes, cloudRecord{ID: c.ID, Number: c.Number, Rev: n.decide(nil), Outcome: Superseded, Reason: "deleted"})
		if extra := len(t.Outcomes) - KeptCloudIDs; extra > 0 {
			t.Outcomes = slices.Delete(t.Outcomes, 0, extra)
		}
	}
	n.dirty[goneKey(c.UID)] = true
	n.trimGone()
}
