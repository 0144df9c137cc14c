package wire

import (
	"time"

	"twinbridge/twin"
)

// Decisions carries what a node decided. One that does not fit into a message comes in parts; all but the last have no
// Rev.
type Decisions struct {
	Store   string            `json:"store"`
	Rev     uint64            `json:"rev,omitempty"`
	Opening string            `json:"opening,omitempty"`
	Devices []DeviceDecisions `json:"devices,omitempty"`
	Gone    []Gone            `json:"gone,omitempty"`
}

// DeviceDecisions is what was decided about one device.
type DeviceDecisions struct {
	Name       twin.Name         `json:"name"`
	UID        string            `json:"uid"`
	Definition *twin.Device      `json:"definition,omitempty"`
	Model      *twin.DeviceModel `json:"model,omitempty"`
	Whole      bool              `json:"whole,omitempty"`
	Props      []PropDecision    `json:"props,omitempty"`
	Outcomes   []Outcome         `json:"outcomes,omitempty"`
}

// PropDecision is the expected value in force of a property.
type PropDecision struct {
	Name     string      `json:"name"`
	Expected Value       `json:"expected,omitzero"`
	Origin   twin.Origin `json:"origin,omitempty"`
	Rev      uint64      `json:"rev"`
	Act      uint64      `json:"act,omitempty"`
}

// Outcome tells what became of a wish.
type Outcome struct {
	ID      string       `json:"id"`
	Number  uint64       `json:"number"`
	Outcome twin.Outcome `json:"outcome"`
	Reason  string       `json:"reason,omitempty"`
	By      string       `json:"by,omitempty"`
	Lost    []string     `json:"lost,omitempty"`
}

// Gone is a tombstone, and outcomes of wishes for a creation that is no more.
type Gone struct {
	Name       twin.Name `json:"name"`
	UID        string    `json:"uid"`
	Generation int64     `json:"generation"`
	Removed    bool      `json:"removed,omitempty"`
	Moved      bool      `json:"moved,omitempty"`
	Outcomes   []Outcome `json:"outcomes,omitempty"`
}

// Observations carries what a node sees of its devices.
type Observations struct {
	Full    bool          `json:"full,omitempty"`
	DiskBad bool          `json:"diskBad,omitempty"`
	Devices []Observation `json:"devices,omitempty"`
}

// Observation is one device as it shows itself.
type Observation struct {
	Name     twin.Name         `json:"name"`
	UID      string            `json:"uid"`
	Presence twin.Presence     `json:"presence"`
	Text     string            `json:"text,omitempty"`
	LastSeen time.Time         `json:"lastSeen,omitzero"`
	Props    []Observed        `json:"props,omitempty"`
	Trouble  map[string]string `json:"trouble,omitempty"` // by wish id
}

// Observed is the actual value of a property.
type Observed struct {
	Name   string    `json:"name"`
	Actual Value     `json:"actual"`
	At     time.Time `json:"at,omitzero"`
}

func (*Decisions) kind() string    { return KindDecisions }
func (*Observations) kind() string { return KindObservations }

func (d *Decisions) check() error {
	if err := all(id("store", d.Store), optional("opening", d.Opening)); err != nil {
		return err
	}
	for i := range d.Devices {
		dev := &d.Devices[i]
		if err := all(dev.Name.Validate(), id("uid", dev.UID)); err != nil {
			return err
		}
		if def := dev.Definition; def != nil && (def.Name != dev.Name || def.UID != dev.UID) {
			return &twin.FieldError{Field: "definition", Value: def.Name.String(), Want: "the one of " + dev.Name.String()}
		}
		for j := range dev.Props {
			if err := all(id("property", dev.Props[j].Name), optional("origin", string(dev.Props[j].Origin))); err != nil {
				return err
			}
		}
		if err := checkOutcomes(dev.Outcomes); err != nil {
			return err
		}
	}
	for i := range d.Gone {
		if err := all(d.Gone[i].Name.Validate(), id("uid", d.Gone[i].UID), checkOutcomes(d.Gone[i].Outcomes)); err != nil {
			return err
		}
	}
	return nil
}

func checkOutcomes(list []Outcome) error {
	for i := range list {
		o := &list[i]
		switch o.Outcome {
		case twin.Applied, twin.Failed, twin.Superseded, twin.Expired, twin.Refused:
		default:
			return &twin.FieldError{Field: "outcome", Value: shorten(string(o.Outcome)), Want: "applied, failed, superseded, expired or refused"}
		}
		if err := all(id("id", o.ID), text("reason", o.Reason), text("by", o.By)); err != nil {
			return err
		}
		if len(o.Lost) > twin.MaxProperties {
			return &twin.FieldError{Field: "lost", Value: "more properties", Want: "at most 256"}
		}
		for _, p := range o.Lost {
			if err := id("lost", p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *Observations) check() error {
	for i := range o.Devices {
		dev := &o.Devices[i]
		switch dev.Presence {
		case twin.Online, twin.Offline, twin.Unknown:
		default:
			return &twin.FieldError{Field: "presence", Value: shorten(string(dev.Presence)), Want: "online, offline or unknown"}
		}
		if err := all(dev.Name.Validate(), id("uid", dev.UID), text("text", dev.Text)); err != nil {
			return err
		}
		for j := range dev.Props {
			if err := id("property", dev.Props[j].Name); err != nil {
				return err
			}
		}
		if len(dev.Trouble) > twin.MaxWishes {
			return &twin.FieldError{Field: "trouble", Value: "more wishes", Want: "at most 64"}
		}
		for wish, why := range dev.Trouble {
			if err := all(id("trouble", wish), text("trouble", why)); err != nil {
				return err
			}
		}
	}
	return nil
}

// halves parts the tombstones from the devices first, which they precede, then either list, then what is told of the one
// that is left.
func (d *Decisions) halves() (Body, Body, bool) {
	first, second := Decisions{Store: d.Store}, *d
	switch g, k := len(d.Gone), len(d.Devices); {
	case g > 0 && k > 0:
		first.Gone, second.Gone = d.Gone, nil
	case g > 1:
		first.Gone, second.Gone = d.Gone[:g/2], d.Gone[g/2:]
	case k > 1:
		first.Devices, second.Devices = d.Devices[:k/2], d.Devices[k/2:]
	case g == 1 && len(d.Gone[0].Outcomes) > 1:
		a, b := d.Gone[0], d.Gone[0]
		n := len(a.Outcomes) / 2
		a.Outcomes, a.Removed, b.Outcomes = a.Outcomes[:n], false, b.Outcomes[n:]
		first.Gone, second.Gone = []Gone{a}, []Gone{b}
	case k == 1:
		a, b, ok := d.Devices[0].halves()
		if !ok {
			return nil, nil, false
		}
		first.Devices, second.Devices = []DeviceDecisions{a}, []DeviceDecisions{b}
	default:
		return nil, nil, false
	}
	return &first, &second, true
}

// halves parts the definition from the rest, which it precedes, then the properties from the outcomes, then either list.
func (d *DeviceDecisions) halves() (a, b DeviceDecisions, ok bool) {
	a, b = *d, *d
	p, o := len(d.Props), len(d.Outcomes)
	switch {
	case (d.Definition != nil || d.Model != nil) && p+o > 0:
		a.Props, a.Outcomes = nil, nil
		b.Definition, b.Model = nil, nil
	case p > 0 && o > 0:
		a.Outcomes, b.Props = nil, nil
	case p > 1:
		a.Props, b.Props = d.Props[:p/2], d.Props[p/2:]
	case o > 1:
		a.Outcomes, b.Outcomes = d.Outcomes[:o/2], d.Outcomes[o/2:]
	default:
		return a, b, false
	}
	return a, b, true
}

func (o *Observations) halves() (Body, Body, bool) {
	first, second := *o, *o
	if k := len(o.Devices); k > 1 {
		first.Devices, second.Devices = o.Devices[:k/2], o.Devices[k/2:]
		return &first, &second, true
	}
	if len(o.Devices) == 0 || len(o.Devices[0].Props) < 2 {
		return nil, nil, false
	}
	a, b := o.Devices[0], o.Devices[0]
	k := len(a.Props) / 2
	a.Props, b.Props = a.Props[:k], b.Props[k:]
	first.Devices, second.Devices, second.Full = []Observation{a}, []Observation{b}, false // it adds to what the first replaced
	return &first, &second, true
}

// shorten cuts s for an error message.
func shorten(s string) string { return cut(s, 40) }
