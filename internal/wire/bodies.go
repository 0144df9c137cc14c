package wire

import (
	"fmt"

	"twinbridge/twin"
)

// Hello opens a session, from the hub (rule 7).
type Hello struct {
	Oldest  int    `json:"oldest"`
	Newest  int    `json:"newest"`
	Hub     string `json:"hub"` // id of the hub's store towards this node
	Session string `json:"session"`
	// What the hub holds of the node; empty if it does not know it.
	Store   string `json:"store,omitempty"`
	Rev     uint64 `json:"rev,omitempty"`
	Opening string `json:"opening,omitempty"`
	// Former says the same of earlier stores of the node, the latest last.
	Former []StoreMark `json:"former,omitempty"`
}

// StoreMark is up to where the hub knows a store of the node.
type StoreMark struct {
	Store   string `json:"store"`
	Rev     uint64 `json:"rev"`
	Opening string `json:"opening"`
}

// Answer is the node's hello. It may come in several parts; all but the last have More.
type Answer struct {
	Version int     `json:"version"`
	Store   string  `json:"store"`
	Program string  `json:"program,omitempty"`
	Dealt   []Dealt `json:"dealt,omitempty"`
	More    bool    `json:"more,omitempty"`
}

// Dealt is the highest number that a device dealt with, and its wish.
type Dealt struct {
	UID    string `json:"uid"`
	Number uint64 `json:"number"`
	ID     string `json:"id"`
}

// Ack says that the hub holds everything up to Rev durably.
type Ack struct {
	Rev uint64 `json:"rev"`
}

// Define carries definitions of the cloud, tombstones among them.
type Define struct {
	Definitions []Definition `json:"definitions"`
}

// Definition is a device that the cloud defines, with its model.
type Definition struct {
	Device  twin.Device       `json:"device"`
	Model   *twin.DeviceModel `json:"model,omitempty"`
	Removed bool              `json:"removed,omitempty"`
	Moved   bool              `json:"moved,omitempty"`
	Retell  bool              `json:"retell,omitempty"`
	Again   bool              `json:"again,omitempty"`
}

// Refused names definitions that the sender does not take.
type Refused struct {
	Definitions []Refusal `json:"definitions"`
}

// Refusal is one of them.
type Refusal struct {
	Name       twin.Name `json:"name"`
	UID        string    `json:"uid"`
	Generation int64     `json:"generation"`
	Reason     string    `json:"reason"`
}

// Got carries nothing but Message.Got.
type Got struct{}

// Bounds of identities and of texts for people, in bytes.
const (
	maxID   = 128
	maxText = 4 << 10
)

func (*Hello) kind() string   { return KindHello }
func (*Answer) kind() string  { return KindAnswer }
func (*Ack) kind() string     { return KindAck }
func (*Define) kind() string  { return KindDefine }
func (*Refused) kind() string { return KindRefused }
func (*Got) kind() string     { return KindGot }

func (h *Hello) check() error {
	if h.Oldest < 1 || h.Newest < h.Oldest {
		return &twin.FieldError{Field: "newest", Value: fmt.Sprintf("%d to %d", h.Oldest, h.Newest), Want: "a range of versions"}
	}
	for i := range h.Former {
		if err := all(id("former", h.Former[i].Store), optional("opening", h.Former[i].Opening)); err != nil {
			return err
		}
	}
	return all(id("hub", h.Hub), id("session", h.Session), optional("store", h.Store), optional("opening", h.Opening))
}

func (a *Answer) check() error {
	if len(a.Program) > maxID {
		return &twin.FieldError{Field: "program", Value: shorten(a.Program), Want: "at most 128 bytes"}
	}
	if err := id("store", a.Store); err != nil {
		return err
	}
	for i := range a.Dealt {
		if err := all(id("uid", a.Dealt[i].UID), id("id", a.Dealt[i].ID)); err != nil {
			return err
		}
	}
	return nil
}

func (*Ack) check() error { return nil }
func (*Got) check() error { return nil }

func (d *Define) check() error {
	for i := range d.Definitions {
		def := &d.Definitions[i]
		if err := all(def.Device.Name.Validate(), id("uid", def.Device.UID)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Refused) check() error {
	for i := range r.Definitions {
		def := &r.Definitions[i]
		if err := all(def.Name.Validate(), id("uid", def.UID), text("reason", def.Reason)); err != nil {
			return err
		}
	}
	return nil
}

func (*Hello) halves() (Body, Body, bool) { return nil, nil, false }
func (*Ack) halves() (Body, Body, bool)   { return nil, nil, false }
func (*Got) halves() (Body, Body, bool)   { return nil, nil, false }

func (a *Answer) halves() (Body, Body, bool) {
	first, second := *a, *a
	k := len(a.Dealt) / 2
	first.Dealt, first.More, second.Dealt = a.Dealt[:k], true, a.Dealt[k:]
	return &first, &second, k > 0
}

func (d *Define) halves() (Body, Body, bool) {
	k := len(d.Definitions) / 2
	return &Define{d.Definitions[:k]}, &Define{d.Definitions[k:]}, k > 0
}

func (r *Refused) halves() (Body, Body, bool) {
	k := len(r.Definitions) / 2
	return &Refused{r.Definitions[:k]}, &Refused{r.Definitions[k:]}, k > 0
}

// all gives the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func id(field, v string) error {
	if v == "" {
		return &twin.FieldError{Field: field, Value: v, Want: "1 to 128 bytes"}
	}
	return optional(field, v)
}

func optional(field, v string) error {
	if len(v) > maxID {
		return &twin.FieldError{Field: field, Value: shorten(v), Want: "at most 128 bytes"}
	}
	return nil
}

func text(field, v string) error {
	if len(v) > maxText {
		return &twin.FieldError{Field: field, Value: shorten(v), Want: "at most 4096 bytes"}
	}
	return nil
}
