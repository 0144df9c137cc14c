package wire

import (
	"time"

	"twinbridge/twin"
)

// Offer carries wishes of the cloud, in order.
type Offer struct {
	Wishes []Wish `json:"wishes"`
}

// Wish is a wish of the cloud (rule 3).
type Wish struct {
	Device twin.Name        `json:"device"`
	UID    string           `json:"uid"`
	Number uint64           `json:"number"`
	ID     string           `json:"id"`
	Asker  string           `json:"asker,omitempty"`
	Origin twin.Origin      `json:"origin"`
	Values map[string]Value `json:"values"`
	// ValidFor and Remaining are in milliseconds; both are 0 in a standing wish. What is left of a press may be 0 too.
	ValidFor  int64             `json:"validFor,omitempty"`
	Remaining int64             `json:"remaining,omitempty"`
	Insist    bool              `json:"insist,omitempty"`
	Guard     map[string]uint64 `json:"guard,omitempty"`
	Seen      map[string]uint64 `json:"seen,omitempty"`
	SeenStore string            `json:"seenStore,omitempty"`
	Session   string            `json:"session,omitempty"`
	Question  string            `json:"question,omitempty"`
}

func (*Offer) kind() string { return KindOffer }

func (o *Offer) check() error {
	for i := range o.Wishes {
		w := &o.Wishes[i]
		err := all(
			w.Device.Validate(), id("uid", w.UID), id("id", w.ID), optional("asker", w.Asker), id("origin", string(w.Origin)),
			optional("seenStore", w.SeenStore), optional("session", w.Session), optional("question", w.Question),
		)
		if err != nil {
			return err
		}
		if w.Number == 0 {
			return &twin.FieldError{Field: "number", Value: "0", Want: "a number from 1"}
		}
		if w.Origin.House() {
			return &twin.FieldError{Field: "origin", Value: string(w.Origin), Want: "cloud, kubernetes or restore"}
		}
		if most := int64(twin.MaxValidFor / time.Millisecond); w.ValidFor < 0 || w.ValidFor > most || w.Remaining < 0 || w.Remaining > most {
			return &twin.FieldError{Field: "validFor", Value: time.Duration(w.ValidFor).String(), Want: "milliseconds, up to 24 h"}
		}
		if max(len(w.Values), len(w.Guard), len(w.Seen)) > twin.MaxProperties {
			return &twin.FieldError{Field: "values", Value: "more properties", Want: "at most 256"}
		}
	}
	return nil
}

func (o *Offer) halves() (Body, Body, bool) {
	k := len(o.Wishes) / 2
	return &Offer{o.Wishes[:k]}, &Offer{o.Wishes[k:]}, k > 0
}

// OfferOf makes a message of wishes.
func OfferOf(list []twin.CloudWish) *Offer {
	out := &Offer{Wishes: make([]Wish, len(list))}
	for i := range list {
		c := &list[i]
		w := Wish{
			Device: c.Device, UID: c.UID, Number: c.Number, ID: c.ID, Asker: c.Asker, Origin: c.Origin, Values: make(map[string]Value, len(c.Values)),
			Insist: c.Insist, Guard: c.Guard, Seen: c.Seen, SeenStore: c.SeenStore, Session: c.Session, Question: c.Question,
		}
		if c.Press() {
			w.ValidFor, w.Remaining = max(c.ValidFor.Milliseconds(), 1), c.Remaining.Milliseconds()
		}
		for p, v := range c.Values {
			w.Values[p] = Value{v}
		}
		out.Wishes[i] = w
	}
	return out
}

// Twin gives the wish as the node takes it.
func (w *Wish) Twin() twin.CloudWish {
	c := twin.CloudWish{
		Device: w.Device, UID: w.UID, Number: w.Number, Seen: w.Seen, SeenStore: w.SeenStore, Session: w.Session,
		Remaining: time.Duration(w.Remaining) * time.Millisecond, Question: w.Question,
		Wish: twin.Wish{
			ID: w.ID, Asker: w.Asker, Origin: w.Origin, Values: make(map[string]twin.Value, len(w.Values)),
			ValidFor: time.Duration(w.ValidFor) * time.Millisecond, Insist: w.Insist, Guard: w.Guard,
		},
	}
	for p, v := range w.Values {
		c.Values[p] = v.Value
	}
	return c
}
