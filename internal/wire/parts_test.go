package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

// chance makes random things that are as large as may be, with characters that JSON writes longest.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 5))} }

// text makes a text of up to n bytes.
func (c chance) text(n int) string {
	all := []string{"\x01", "\u2028", "<", `"`, `\`, "ä", "😀", "x", "\x1f", "\ufffd"}
	var b strings.Builder
	one := all[c.IntN(len(all))]
	mixed := c.IntN(2) == 0
	for {
		if mixed {
			one = all[c.IntN(len(all))]
		}
		if b.Len()+len(one) > n {
			return b.String()
		}
		b.WriteString(one)
	}
}

// label makes a name of up to n bytes that is like no other one with another number.
func (c chance) label(i, n int) string {
	s := fmt.Sprint(i)
	for _, one := range []string{`"`, "\u2028", `\`}[c.IntN(3):] {
		for len(s)+len(one) <= n {
			s += one
		}
	}
	return s
}

func (c chance) name(i int) twin.Name {
	return twin.Name{Namespace: c.label(i, 128), Name: c.label(i, 128)}
}

func (c chance) value(n int) twin.Value {
	switch c.IntN(5) {
	case 0:
		return twin.BoolValue(c.IntN(2) == 0)
	case 1:
		return twin.IntValue(math.MinInt64 + c.Int64N(100))
	case 2:
		return twin.FloatValue(-math.MaxFloat64 / float64(1+c.IntN(9)))
	case 3:
		return twin.Value{}
	}
	return twin.StringValue(c.text(n))
}

func (c chance) outcomes(n int) (out []twin.OutcomeTold) {
	for i := range n {
		o := twin.OutcomeTold{ID: c.label(i, 128), Number: c.Uint64(), Outcome: twin.Superseded, Reason: c.text(515), By: c.text(128)}
		if c.IntN(3) == 0 {
			for j := range c.IntN(twin.MaxProperties) {
				o.Lost = append(o.Lost, c.label(j, 128))
			}
		}
		out = append(out, o)
	}
	return out
}

// definition makes a device and its model, together at most as large as may be.
func (c chance) definition(name twin.Name, uid string, props int) (*twin.Device, *twin.DeviceModel) {
	dev := &twin.Device{Name: name, UID: uid, Generation: 1, Definer: twin.DefinedByNode, Node: "attic"}
	var model *twin.DeviceModel
	for i := range props {
		dev.Properties = append(dev.Properties, twin.Property{Name: fmt.Sprint("p", i), Type: twin.String})
	}
	if c.IntN(2) == 0 {
		model = &twin.DeviceModel{Name: twin.Name{Namespace: "default", Name: "model"}, Properties: dev.Properties}
		dev.Model, dev.Properties = model.Name, nil
	}
	b, err := json.Marshal(twin.Definition{Device: *dev, Model: model})
	if err != nil {
		panic(err)
	}
	if room := twin.MaxDefinition - len(b) - 40; c.IntN(2) == 0 {
		dev.Description = strings.Repeat("\x01", room/6)
	} else {
		dev.Protocol = twin.Visitor{Protocol: "sim", Config: json.RawMessage(`"` + strings.Repeat("x", room) + `"`)}
	}
	return dev, model
}

func (c chance) decisions(devices int) twin.Decisions {
	d := twin.Decisions{NodeStore: "N", Rev: 1 + c.Uint64N(9), Opening: "O"}
	for i := range devices {
		dev := twin.DeviceDecisions{Name: c.name(i), UID: fmt.Sprint("uid", i), Whole: c.IntN(2) == 0, Outcomes: c.outcomes(c.IntN(30))}
		props := c.IntN(twin.MaxProperties)
		if c.IntN(9) != 0 {
			dev.Definition, dev.Model = c.definition(dev.Name, dev.UID, props)
		}
		for j := range props {
			dev.Props = append(dev.Props, twin.PropDecision{
				Name: fmt.Sprint("p", j), Expected: c.value(twin.MaxValueLen), Origin: twin.FromKubernetes, Rev: math.MaxUint64 - c.Uint64N(9), Act: c.Uint64(),
			})
		}
		d.Devices = append(d.Devices, dev)
	}
	for i := range c.IntN(20) {
		d.Gone = append(d.Gone, twin.GoneDecision{Name: c.name(1000 + i), UID: fmt.Sprint("gone", i), Generation: 1, Removed: true, Outcomes: c.outcomes(c.IntN(40))})
	}
	return d
}

func (c chance) observations(d twin.Decisions) twin.Observations {
	out := twin.Observations{Full: true}
	for i := range d.Devices {
		o := twin.Observation{Name: d.Devices[i].Name, UID: d.Devices[i].UID, Presence: twin.Online, Text: "unhealthy", LastSeen: noon, Trouble: map[string]string{}}
		for j := range c.IntN(twin.MaxWishes + 1) {
			o.Trouble[c.label(j, 128)] = c.text(259)
		}
		for j := range d.Devices[i].Props {
			o.Props = append(o.Props, twin.Observed{Name: fmt.Sprint("p", j), Actual: c.value(twin.MaxValueLen), At: noon})
		}
		out.Devices = append(out.Devices, o)
	}
	return out
}

// carry sends a body through as many messages as it needs and gives the bodies that come out.
func carry[B Body](t *testing.T, body B) (out []B) {
	t.Helper()
	parts, err := Parts(7, 3, body)
	if err != nil {
		t.Fatalf("parts: %v", err)
	}
	for i, b := range parts {
		m, err := Decode(b)
		if err != nil {
			t.Fatalf("part %d of %d, %d bytes: %v", i, len(parts), len(b), err)
		}
		if m.N != uint64(7+i) || m.Got != 3 {
			t.Fatalf("part %d is numbered %d, %d", i, m.N, m.Got)
		}
		out = append(out, m.Body.(B))
	}
	return out
}

// view is a hub that a node is connected to.
type view struct {
	hub     *twin.Hub
	session string
}

func newView(t *testing.T) *view {
	t.Helper()
	ids := 0
	h, err := twin.OpenHub(twin.HubConfig{NewID: func() string { ids++; return fmt.Sprint("id", ids) }}, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &view{h, h.Connect(now, "attic")}
	h.NodeHello(now, "attic", v.session, twin.NodeHello{NodeStore: "N"})
	return v
}

var now = twin.Now{Mono: time.Second, Wall: noon}

// records is all that a hub has learned, as it would be written.
func (v *view) records() string {
	b, _ := v.hub.TakeBatch()
	var out strings.Builder
	for _, r := range b.Records {
		fmt.Fprintf(&out, "%s %s\n", r.Key, r.Data)
	}
	for _, name := range v.hub.Names() {
		w, _ := v.hub.View(name)
		fmt.Fprintln(&out, name, w.Presence, w.PresenceText, w.LastSeen)
		for i := range w.Props {
			fmt.Fprintf(&out, "%q %q %d\n", w.Props[i].Expected.Pack(), w.Props[i].Actual.Pack(), w.Props[i].Rev)
		}
	}
	return out.String()
}

// TestPartsOfStates: what a node says, cut into messages and taken in order, makes the hub know what the whole would.
func TestPartsOfStates(t *testing.T) {
	most := 0
	for seed := range uint64(4) {
		c := newChance(seed)
		d := c.decisions(1 + c.IntN(2))
		o := c.observations(d)
		whole, parted := newView(t), newView(t)
		whole.hub.Learn(now, "attic", whole.session, d)
		whole.hub.Observe(now, "attic", whole.session, o)
		parts := carry(t, DecisionsOf(d))
		for i, p := range parts {
			if last := i == len(parts)-1; last != (p.Rev != 0) {
				t.Errorf("seed %d: part %d of %d has rev %d", seed, i, len(parts), p.Rev)
			}
			parted.hub.Learn(now, "attic", parted.session, p.Twin())
		}
		most = max(most, len(parts))
		for _, p := range carry(t, ObservationsOf(o)) {
			parted.hub.Observe(now, "attic", parted.session, p.Twin())
		}
		if got, want := parted.records(), whole.records(); got != want {
			t.Fatalf("seed %d: in parts:\n%.3000s\nas a whole:\n%.3000s", seed, got, want)
		}
	}
	if most < 6 {
		t.Errorf("at most %d parts: this tested too little", most)
	}
}

// TestPartsOfLists: lists come out whole, in order, each element as it was.
func TestPartsOfLists(t *testing.T) {
	for seed := range uint64(3) {
		c := newChance(seed)
		n := c.IntN(100)

		hello := twin.NodeHello{NodeStore: "N", Version: "1"}
		for i := range n * 30 {
			hello.Dealt = append(hello.Dealt, twin.Dealt{UID: fmt.Sprint(i), Number: c.Uint64(), ID: c.text(127) + "x"})
		}
		var dealt []twin.Dealt
		answers := carry(t, AnswerOf(1, hello))
		for i, a := range answers {
			if a.More != (i < len(answers)-1) || a.Store != "N" || a.Version != 1 {
				t.Errorf("part %d of %d: %v %q %d", i, len(answers), a.More, a.Store, a.Version)
			}
			dealt = append(dealt, a.Twin().Dealt...)
		}
		same(t, dealt, hello.Dealt)

		var defs []twin.Definition
		for i := range 1 + n%5 {
			dev, model := c.definition(c.name(i), "u", 3)
			defs = append(defs, twin.Definition{Device: *dev, Model: model, Retell: true})
		}
		var got []twin.Definition
		for _, d := range carry(t, DefineOf(defs)) {
			for i := range d.Definitions {
				got = append(got, d.Definitions[i].Twin())
			}
		}
		same(t, got, defs)

		var refusals []twin.Refusal
		for i := range n {
			refusals = append(refusals, twin.Refusal{Name: c.name(i), UID: "u", Generation: int64(i), Reason: c.text(6000)})
		}
		i := 0
		for _, r := range carry(t, RefusedOf(refusals)) {
			for _, one := range r.Definitions {
				if want := refusals[i]; one.Name != want.Name || !strings.HasPrefix(want.Reason, one.Reason) || len(want.Reason) < maxText && one.Reason != want.Reason {
					t.Errorf("refusal %d: %.80q, want %.80q", i, one.Reason, want.Reason)
				}
				i++
			}
		}
		if i != n {
			t.Errorf("%d refusals of %d", i, n)
		}
	}
}

func same[T any](t *testing.T, got, want []T) {
	t.Helper()
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("got %d: %.500v\nwant %d: %.500v", len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
	}
}

// TestLargestWish: the largest wish that a hub takes goes into one message, whatever it consists of.
func TestLargestWish(t *testing.T) {
	largest := 0
	for seed := range uint64(30) {
		c := newChance(seed)
		props := 1 + c.IntN(twin.MaxProperties)
		if seed%3 == 0 {
			props = twin.MaxProperties
		}
		dev := twin.Device{Name: c.name(1), Node: "attic"}
		length := 1 + c.IntN(128)
		for i := range props {
			dev.Properties = append(dev.Properties, twin.Property{Name: c.label(i, max(length, 3)), Type: twin.String})
		}
		h, err := twin.OpenHub(twin.HubConfig{NewID: func() string { return strings.Repeat("i", 128) }}, now, nil)
		if err == nil {
			err = h.Apply(now, nil, []twin.Device{dev})
		}
		if err != nil {
			t.Fatal(err)
		}
		wish := twin.Wish{
			ID: strings.Repeat("\x01", 128), Asker: strings.Repeat("\x02", 128), Origin: twin.FromKubernetes, Insist: true,
			Values: map[string]twin.Value{}, Guard: map[string]uint64{}, ValidFor: time.Hour,
		}
		room := twin.MaxDeviceState
		for _, p := range dev.Properties {
			n := min(room-len(p.Name), twin.MaxValueLen)
			if c.IntN(2) == 0 && room >= len(p.Name) && seed%2 == 0 {
				wish.Guard[p.Name] = 0 // guarded only
				room -= len(p.Name)
				continue
			}
			if n < 0 {
				break
			}
			if props > 100 {
				n = min(n, max(0, twin.MaxDeviceState/props-len(p.Name)))
			}
			wish.Values[p.Name] = twin.StringValue(strings.Repeat("\x01", n))
			wish.Guard[p.Name] = 0
			room -= len(p.Name) + n
		}
		if len(wish.Values) == 0 {
			continue
		}
		if _, err := h.Ask(now, dev.Name, wish); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		seen := map[string]uint64{}
		for p := range wish.Values {
			seen[p] = math.MaxUint64
		}
		for p := range wish.Guard {
			wish.Guard[p] = math.MaxUint64
		}
		id := strings.Repeat("\x01", 128)
		offer := twin.CloudWish{
			Device: dev.Name, UID: id, Number: math.MaxUint64, Wish: wish, Seen: seen, SeenStore: id, Session: id, Question: "hub restored", Remaining: time.Hour,
		}
		got := carry(t, OfferOf([]twin.CloudWish{offer}))
		if back := got[0].Wishes[0].Twin(); !maps.Equal(back.Values, wish.Values) || !maps.Equal(back.Guard, wish.Guard) || back.ID != wish.ID {
			t.Errorf("seed %d: the wish came out otherwise", seed)
		}
		parts, _ := Parts(1, 0, OfferOf([]twin.CloudWish{offer}))
		largest = max(largest, len(parts[0]))
	}
	t.Logf("the largest wish has %d bytes", largest)
	if largest < 180<<10 {
		t.Errorf("the largest wish tried has %d bytes: this tested too little", largest)
	}
}

// TestWorstDevice: a device with the largest definition, 256 properties that report more than may be wished, 320
// outcomes with long reasons and all properties lost, and 64 wishes in trouble can be told.
func TestWorstDevice(t *testing.T) {
	c := newChance(1)
	var names []string
	for i := range twin.MaxProperties {
		names = append(names, c.label(i, 128))
	}
	dev, model := c.definition(lamp, "u", 10)
	full := strings.Repeat("\x01", twin.MaxValueLen)
	d := twin.DeviceDecisions{Name: lamp, UID: "u", Definition: dev, Model: model, Whole: true}
	o := twin.Observation{Name: lamp, UID: "u", Presence: twin.Online, Trouble: map[string]string{}}
	for i, name := range names {
		if i == 96 { // three times what may be wished, and more
			full = "\x01"
		}
		d.Props = append(d.Props, twin.PropDecision{Name: name, Expected: twin.StringValue(full), Origin: twin.FromKubernetes, Rev: math.MaxUint64, Act: math.MaxUint64})
		o.Props = append(o.Props, twin.Observed{Name: name, Actual: twin.StringValue(full), At: noon})
	}
	for i := range twin.KeptCloudIDs + twin.MaxWishes {
		o := twin.OutcomeTold{
			ID: fmt.Sprint(i) + strings.Repeat("\x01", 120), Number: math.MaxUint64, Outcome: twin.Superseded,
			Reason: strings.Repeat("\x01", 515), By: strings.Repeat("\x01", 128),
		}
		if i%80 == 0 {
			o.Lost, o.Reason = names, strings.Repeat("\x01", 9999)
		}
		d.Outcomes = append(d.Outcomes, o)
	}
	for i := range twin.MaxWishes {
		o.Trouble[fmt.Sprint(i)+strings.Repeat("\x01", 126)] = strings.Repeat("\x01", 259)
	}
	parts := carry(t, DecisionsOf(twin.Decisions{NodeStore: "N", Rev: 5, Devices: []twin.DeviceDecisions{d}}))
	props, outcomes := 0, 0
	for i, p := range parts {
		if def := p.Devices[0].Definition; (def != nil) != (i == 0) {
			t.Errorf("part %d: definition %v", i, def != nil)
		}
		props, outcomes = props+len(p.Devices[0].Props), outcomes+len(p.Devices[0].Outcomes)
	}
	if props != len(names) || outcomes != len(d.Outcomes) {
		t.Errorf("%d properties and %d outcomes came, want %d and %d", props, outcomes, len(names), len(d.Outcomes))
	}
	seen := 0
	for _, p := range carry(t, ObservationsOf(twin.Observations{Full: true, Devices: []twin.Observation{o}})) {
		seen += len(p.Devices[0].Props)
	}
	if seen != len(names) {
		t.Errorf("%d observed properties came, want %d", seen, len(names))
	}
	gone := carry(t, DecisionsOf(twin.Decisions{NodeStore: "N", Rev: 5, Gone: []twin.GoneDecision{{Name: lamp, UID: "u", Removed: true, Outcomes: d.Outcomes}}}))
	for i, p := range gone {
		if last := i == len(gone)-1; p.Gone[0].Removed != last {
			t.Errorf("tombstone part %d of %d: removed %v", i, len(gone), p.Gone[0].Removed)
		}
	}
}

// TestOneThingTooLarge: what no message can hold is an error of the sender, not something that is left out.
func TestOneThingTooLarge(t *testing.T) {
	wish := twin.CloudWish{Device: lamp, Wish: twin.Wish{Values: map[string]twin.Value{"p": twin.StringValue(strings.Repeat("x", MaxMessage))}}}
	for _, n := range []int{1, 3} {
		if parts, err := Parts(1, 0, OfferOf(slices.Repeat([]twin.CloudWish{wish}, n))); err == nil || !strings.Contains(err.Error(), "cannot be parted") {
			t.Errorf("%d parts, %v", len(parts), err)
		}
	}
	var f Flow
	if _, err := f.Send(OfferOf([]twin.CloudWish{wish})); err == nil || f.sent != 0 {
		t.Errorf("sent %d, %v", f.sent, err)
	}
}

// TestCut: texts are shortened at a rune border, never to more than was asked for.
func TestCut(t *testing.T) {
	for _, s := range []string{"", "abc", "äöü", "😀😀", "a\xff\xff\xff"} {
		for most := range 10 {
			got := cut(s, most)
			if len(got) > most || !strings.HasPrefix(s, got) || len(got) < min(len(s), most)-3 || !bytes.Equal([]byte(got), []byte(strings.ToValidUTF8(got, "?"))) && !strings.Contains(s, "\xff") {
				t.Errorf("cut(%q, %d) = %q", s, most, got)
			}
		}
	}
}
