package wire

import (
	"encoding/json"
	"unicode/utf8"

	"twinbridge/twin"
)

// Value is a value with its type, in one string: a letter and the text, as "b1", "i5", "f2.5", "sON"; "" is none. So it
// needs no definition to be read, and no number loses digits on the way.
type Value struct{ twin.Value }

// MarshalText gives the string.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.Pack()), nil }

// UnmarshalText reads the string.
func (v *Value) UnmarshalText(b []byte) (err error) {
	v.Value, err = twin.Unpack(string(b))
	return err
}

// MarshalJSON keeps the embedded Value's own JSON, which has no type, out of the way.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.Pack()) }

// HelloOf makes the hub's hello.
func HelloOf(h twin.HubHello) *Hello {
	out := &Hello{Oldest: Oldest, Newest: Newest, Hub: h.HubStore, Session: h.Session, Store: h.NodeStore, Rev: h.LastRev, Opening: h.LastOpening}
	for _, m := range h.Former {
		out.Former = append(out.Former, StoreMark(m))
	}
	return out
}

// Twin gives the hello as the node takes it.
func (h *Hello) Twin() twin.HubHello {
	out := twin.HubHello{HubStore: h.Hub, Session: h.Session, NodeStore: h.Store, LastRev: h.Rev, LastOpening: h.Opening}
	for _, m := range h.Former {
		out.Former = append(out.Former, twin.StoreMark(m))
	}
	return out
}

// AnswerOf makes the node's answer.
func AnswerOf(version int, h twin.NodeHello) *Answer {
	a := &Answer{Version: version, Store: h.NodeStore, Program: h.Version}
	for _, d := range h.Dealt {
		a.Dealt = append(a.Dealt, Dealt(d))
	}
	return a
}

// Twin gives the answer as the hub takes it.
func (a *Answer) Twin() twin.NodeHello {
	h := twin.NodeHello{NodeStore: a.Store, Version: a.Program}
	for _, d := range a.Dealt {
		h.Dealt = append(h.Dealt, twin.Dealt(d))
	}
	return h
}

// DefineOf makes a message of definitions.
func DefineOf(list []twin.Definition) *Define {
	out := &Define{Definitions: make([]Definition, len(list))}
	for i, d := range list {
		out.Definitions[i] = Definition(d)
	}
	return out
}

// Twin gives the definition as the node takes it.
func (d *Definition) Twin() twin.Definition { return twin.Definition(*d) }

// RefusedOf makes a message of refusals.
func RefusedOf(list []twin.Refusal) *Refused {
	out := &Refused{Definitions: make([]Refusal, len(list))}
	for i, r := range list {
		out.Definitions[i] = Refusal(r)
		out.Definitions[i].Reason = cut(r.Reason, maxText)
	}
	return out
}

// DecisionsOf makes a message of decisions.
func DecisionsOf(d twin.Decisions) *Decisions {
	out := &Decisions{Store: d.NodeStore, Rev: d.Rev, Opening: d.Opening}
	for i := range d.Devices {
		in := &d.Devices[i]
		dev := DeviceDecisions{Name: in.Name, UID: in.UID, Definition: in.Definition, Model: in.Model, Whole: in.Whole, Outcomes: outcomesOf(in.Outcomes)}
		for _, p := range in.Props {
			dev.Props = append(dev.Props, PropDecision{p.Name, Value{p.Expected}, p.Origin, p.Rev, p.Act})
		}
		out.Devices = append(out.Devices, dev)
	}
	for i := range d.Gone {
		in := &d.Gone[i]
		out.Gone = append(out.Gone, Gone{in.Name, in.UID, in.Generation, in.Removed, in.Moved, outcomesOf(in.Outcomes)})
	}
	return out
}

func outcomesOf(list []twin.OutcomeTold) (out []Outcome) {
	for _, o := range list {
		o.Reason = cut(o.Reason, maxText)
		out = append(out, Outcome(o))
	}
	return out
}

// cut shortens s to at most that many bytes, at a rune border.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Twin gives the decisions as the hub takes them.
func (d *Decisions) Twin() twin.Decisions {
	out := twin.Decisions{NodeStore: d.Store, Rev: d.Rev, Opening: d.Opening}
	for i := range d.Devices {
		in := &d.Devices[i]
		dev := twin.DeviceDecisions{Name: in.Name, UID: in.UID, Definition: in.Definition, Model: in.Model, Whole: in.Whole, Outcomes: told(in.Outcomes)}
		for _, p := range in.Props {
			dev.Props = append(dev.Props, twin.PropDecision{Name: p.Name, Expected: p.Expected.Value, Origin: p.Origin, Rev: p.Rev, Act: p.Act})
		}
		out.Devices = append(out.Devices, dev)
	}
	for i := range d.Gone {
		in := &d.Gone[i]
		out.Gone = append(out.Gone, twin.GoneDecision{
			Name: in.Name, UID: in.UID, Generation: in.Generation, Removed: in.Removed, Moved: in.Moved, Outcomes: told(in.Outcomes),
		})
	}
	return out
}

func told(list []Outcome) (out []twin.OutcomeTold) {
	for _, o := range list {
		out = append(out, twin.OutcomeTold(o))
	}
	return out
}

// ObservationsOf makes a message of observations.
func ObservationsOf(o twin.Observations) *Observations {
	out := &Observations{Full: o.Full, DiskBad: o.DiskBad}
	for i := range o.Devices {
		in := &o.Devices[i]
		dev := Observation{Name: in.Name, UID: in.UID, Presence: in.Presence, Text: in.Text, LastSeen: in.LastSeen, Trouble: in.Trouble}
		for _, p := range in.Props {
			dev.Props = append(dev.Props, Observed{p.Name, Value{p.Actual}, p.At})
		}
		out.Devices = append(out.Devices, dev)
	}
	return out
}

// Twin gives the observations as the hub takes them.
func (o *Observations) Twin() twin.Observations {
	out := twin.Observations{Full: o.Full, DiskBad: o.DiskBad}
	for i := range o.Devices {
		in := &o.Devices[i]
		dev := twin.Observation{Name: in.Name, UID: in.UID, Presence: in.Presence, Text: in.Text, LastSeen: in.LastSeen, Trouble: in.Trouble}
		for _, p := range in.Props {
			dev.Props = append(dev.Props, twin.Observed{Name: p.Name, Actual: p.Actual.Value, At: p.At})
		}
		out.Devices = append(out.Devices, dev)
	}
	return out
}
