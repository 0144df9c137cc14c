package cloudhub

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

// town is a hub with two nodes: attic, whose devices are looked at, and barn, which says what it likes.
type town struct {
	t     testing.TB
	hub   *twin.Hub
	now   twin.Now
	disk  map[string]string
	ids   int
	attic *peer
	barn  *peer
	good  *Session
	bad   *Session
}

// Twins as sessions see them, with every change on disk at once.
type townTwins struct{ *town }

func (t townTwins) Connect(node string) string { return t.hub.Connect(t.now, node) }
func (t townTwins) Disconnect(node, s string)  { t.hub.Disconnect(t.now, node, s) }
func (t townTwins) Hello(node, s string) (twin.HubHello, bool) {
	t.commit()
	return t.hub.Hello(node, s)
}

func (t townTwins) NodeHello(node, s string, h twin.NodeHello) string {
	return t.hub.NodeHello(t.now, node, s, h)
}
func (t townTwins) Learn(node, s string, d twin.Decisions)      { t.hub.Learn(t.now, node, s, d) }
func (t townTwins) Observe(node, s string, o twin.Observations) { t.hub.Observe(t.now, node, s, o) }
func (t townTwins) DefinitionRefused(node, s string, r twin.Refusal) {
	t.hub.DefinitionRefused(t.now, node, s, r)
}
func (t townTwins) Ack(node, s string) (uint64, bool) { t.commit(); return t.hub.Ack(node, s) }
func (t townTwins) Definitions(node, s string, most int) []twin.Definition {
	t.commit()
	return t.hub.Definitions(node, s, most)
}
func (t townTwins) Refusals(node, s string) []twin.Refusal { return t.hub.Refusals(node, s) }
func (t townTwins) Offers(node, s string, most int) []twin.CloudWish {
	t.commit()
	return t.hub.Offers(t.now, node, s, most)
}

func (t *town) commit() {
	b, ok := t.hub.TakeBatch()
	if !ok {
		return
	}
	for _, r := range b.Records {
		if r.Data == nil {
			delete(t.disk, r.Key)
		} else {
			t.disk[r.Key] = string(r.Data)
		}
	}
	t.hub.Committed(b, nil)
}

var own, clouds = twin.Name{Namespace: "default", Name: "own"}, twin.Name{Namespace: "default", Name: "clouds"}

// newTown makes the hub: attic has a device of its own (uid "own") and one of the cloud's, with a wish each that was
// offered; barn is connected and has a device of its own.
func newTown(t testing.TB) *town {
	t.Helper()
	w := &town{t: t, now: twin.Now{Mono: time.Second, Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, disk: map[string]string{}}
	h, err := twin.OpenHub(twin.HubConfig{NewID: func() string { w.ids++; return fmt.Sprint("id", w.ids) }}, w.now, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.hub = h
	if err := h.Apply(w.now, nil, []twin.Device{device(clouds, "", "attic")}); err != nil {
		t.Fatal(err)
	}
	w.commit()
	w.good, w.bad = NewSession("attic", townTwins{w}), NewSession("barn", townTwins{w})
	w.attic, w.barn = &peer{t: t, s: w.good}, &peer{t: t, s: w.bad}
	w.attic.hear()
	w.barn.hear()
	v, _ := h.View(clouds)
	def := device(own, "own", "attic")
	mine := device(twin.Name{Namespace: "default", Name: "mine"}, "mine", "barn")
	for _, say := range []struct {
		p    *peer
		body wire.Body
	}{
		{w.attic, &wire.Answer{Version: 1, Store: "A"}},
		{w.attic, &wire.Decisions{Store: "A", Rev: 3, Opening: "O", Devices: []wire.DeviceDecisions{
			{Name: own, UID: "own", Definition: &def, Whole: true, Props: []wire.PropDecision{power(true, 2)}},
			{Name: clouds, UID: v.Device.UID, Props: []wire.PropDecision{power(true, 3)}},
		}}},
		{w.attic, &wire.Observations{Full: true, Devices: []wire.Observation{
			{Name: own, UID: "own", Presence: twin.Online, Props: []wire.Observed{{Name: "power", Actual: wire.Value{Value: twin.BoolValue(true)}}}},
			{Name: clouds, UID: v.Device.UID, Presence: twin.Online},
		}}},
		{w.barn, &wire.Answer{Version: 1, Store: "B"}},
		{w.barn, &wire.Decisions{Store: "B", Rev: 1, Opening: "P", Devices: []wire.DeviceDecisions{{Name: mine.Name, UID: "mine", Definition: &mine, Whole: true}}}},
	} {
		if err := say.p.say(say.body); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []twin.Name{own, clouds} {
		w.ask(name, "w-"+name.Name)
	}
	w.attic.hear()
	w.barn.hear()
	w.commit()
	return w
}

func device(n twin.Name, uid, node string) twin.Device {
	return twin.Device{Name: n, UID: uid, Generation: 1, Definer: twin.DefinedByNode, Node: node, Properties: []twin.Property{{Name: "power", Type: twin.Bool}}}
}

func power(on bool, rev uint64) wire.PropDecision {
	return wire.PropDecision{Name: "power", Expected: wire.Value{Value: twin.BoolValue(on)}, Origin: twin.FromLocal, Rev: rev, Act: rev}
}

func (t *town) ask(name twin.Name, id string) {
	t.t.Helper()
	_, err := t.hub.Ask(t.now, name, twin.Wish{ID: id, Origin: twin.FromCloud, Values: map[string]twin.Value{"power": twin.BoolValue(false)}})
	if err != nil {
		t.t.Fatal(err)
	}
}

// state is all that the hub holds of attic and its devices, in memory and on disk.
func (t *town) state() string {
	t.commit()
	var out strings.Builder
	for _, k := range slices.Sorted(maps.Keys(t.disk)) {
		for _, of := range []string{"/attic", "@attic", "default/own", "default/clouds", "past/own"} {
			if strings.HasSuffix(k, of) {
				fmt.Fprintln(&out, k, t.disk[k])
			}
		}
	}
	for _, name := range []twin.Name{own, clouds} {
		v, err := t.hub.View(name)
		b, _ := json.Marshal(v)
		fmt.Fprintln(&out, name, string(b), err)
		w, err := t.hub.WishView(name, "w-"+name.Name)
		fmt.Fprintln(&out, w.Outcome, w.Reason, w.Trouble, err)
	}
	n, _ := t.hub.Node("attic")
	fmt.Fprintf(&out, "%+v current %v\n", n, t.hub.Current("attic", t.good.ID()))
	return out.String()
}

// serves checks that attic is still told wishes and heard, in the session that it had.
func (t *town) serves() {
	t.t.Helper()
	t.ask(own, "after")
	offered := ""
	for _, b := range t.attic.hear() {
		if o, ok := b.(*wire.Offer); ok {
			offered = o.Wishes[0].ID
		}
	}
	if offered != "after" {
		t.t.Errorf("attic is offered %q, want the wish made afterwards", offered)
	}
	err := t.attic.say(&wire.Decisions{Store: "A", Rev: 9, Opening: "O", Devices: []wire.DeviceDecisions{{
		Name: own, UID: "own", Props: []wire.PropDecision{power(false, 9)}, Outcomes: []wire.Outcome{{ID: "after", Number: 2, Outcome: twin.Applied}},
	}}})
	w, _ := t.hub.WishView(own, "after")
	if err != nil || w.Outcome != twin.Applied {
		t.t.Errorf("attic is not heard: %v, the wish is %s", err, w.Outcome)
	}
}

// lies gives, for each kind of message, what barn may say of attic's devices by name, by uid, and by both.
func lies(w *town) map[string][]wire.Body {
	v, _ := w.hub.View(clouds)
	out := map[string][]wire.Body{
		wire.KindHello: {&wire.Hello{Oldest: 1, Newest: 1, Hub: "H", Session: w.good.ID()}},
		wire.KindAnswer: {
			&wire.Answer{Version: 1, Store: "A"},
			&wire.Answer{Version: 1, Store: "B", Dealt: []wire.Dealt{{UID: "own", Number: 99, ID: "x"}, {UID: v.Device.UID, Number: math.MaxUint64, ID: "w-clouds"}}},
		},
		wire.KindAck: {&wire.Ack{Rev: 99}},
		wire.KindGot: {&wire.Got{}},
	}
	bad := wire.Value{Value: twin.BoolValue(false)}
	for _, real := range []struct {
		name twin.Name
		uid  string
	}{{own, "own"}, {clouds, v.Device.UID}} {
		for _, who := range []struct {
			name twin.Name
			uid  string
		}{{real.name, real.uid}, {real.name, "mine"}, {real.name, "fresh"}, {twin.Name{Namespace: "default", Name: "mine"}, real.uid}, {twin.Name{Namespace: "x", Name: "fresh"}, real.uid}} {
			for _, definer := range []twin.Definer{twin.DefinedByNode, twin.DefinedByCloud, "nobody"} {
				def := device(who.name, who.uid, "attic")
				def.Definer, def.Generation = definer, math.MaxInt64
				out[wire.KindDecisions] = append(out[wire.KindDecisions],
					&wire.Decisions{Store: "B", Rev: 99, Opening: "P", Devices: []wire.DeviceDecisions{{
						Name: who.name, UID: who.uid, Definition: &def, Whole: true, Props: []wire.PropDecision{power(false, math.MaxUint64)},
						Outcomes: []wire.Outcome{{ID: "w-" + real.name.Name, Number: 1, Outcome: twin.Failed}},
					}}})
			}
			out[wire.KindDecisions] = append(out[wire.KindDecisions],
				&wire.Decisions{Store: "B", Rev: 99, Devices: []wire.DeviceDecisions{{
					Name: who.name, UID: who.uid, Props: []wire.PropDecision{power(false, 99)}, Outcomes: []wire.Outcome{{ID: "w-" + real.name.Name, Number: 1, Outcome: twin.Applied}},
				}}},
				&wire.Decisions{Store: "A", Rev: 99, Devices: []wire.DeviceDecisions{{Name: who.name, UID: who.uid, Props: []wire.PropDecision{power(false, 99)}}}},
				&wire.Decisions{Store: "B", Rev: 99, Gone: []wire.Gone{{
					Name: who.name, UID: who.uid, Generation: 99, Removed: true, Outcomes: []wire.Outcome{{ID: "w-" + real.name.Name, Number: 1, Outcome: twin.Applied}},
				}}},
				&wire.Decisions{Store: "B", Rev: 99, Gone: []wire.Gone{{Name: who.name, UID: who.uid, Removed: true, Moved: true}}},
			)
			out[wire.KindObservations] = append(out[wire.KindObservations], &wire.Observations{Full: true, DiskBad: true, Devices: []wire.Observation{{
				Name: who.name, UID: who.uid, Presence: twin.Offline, Text: "gone", Props: []wire.Observed{{Name: "power", Actual: bad}},
				Trouble: map[string]string{"w-" + real.name.Name: "it burns"},
			}}})
			out[wire.KindRefused] = append(out[wire.KindRefused], &wire.Refused{Definitions: []wire.Refusal{{Name: who.name, UID: who.uid, Generation: 1, Reason: "no"}}})
			def := device(who.name, who.uid, "attic")
			out[wire.KindDefine] = append(out[wire.KindDefine], &wire.Define{Definitions: []wire.Definition{{Device: def, Removed: true}}})
			out[wire.KindOffer] = append(out[wire.KindOffer], &wire.Offer{Wishes: []wire.Wish{{Device: who.name, UID: who.uid, Number: 9, ID: "x", Origin: twin.FromCloud}}})
		}
	}
	return out
}

// TestHostileNode: whatever a node says of the devices of another, in whatever state its session is, nothing of the
// other changes, and the hub goes on to serve it. The kinds are read from the source: a new one cannot be forgotten.
func TestHostileNode(t *testing.T) {
	kinds := kinds(t)
	for _, kind := range kinds {
		n := len(lies(newTown(t))[kind])
		if n == 0 {
			t.Errorf("no lies of kind %s", kind)
		}
		for i := range n {
			for _, when := range []string{"ready", "before the answer", "before the hello"} {
				w := newTown(t)
				if when != "ready" {
					w.bad = NewSession("barn", townTwins{w})
					w.barn = &peer{t: t, s: w.bad}
				}
				if when == "before the answer" {
					w.barn.hear()
				}
				before := w.state()
				body := lies(w)[kind][i]
				_ = w.barn.say(body) // refused or not
				w.barn.hear()
				w.bad.Close()
				if got := w.state(); got != before {
					t.Errorf("%s: barn says %s and changes attic:\nbefore %s\nafter  %s", when, text(body), before, got)
				}
				w.serves()
			}
		}
	}
}

func text(body wire.Body) string {
	b, _ := wire.Encode(wire.Message{N: 1, Body: body})
	return string(b)
}

// kinds reads the kinds of messages from the source of wire.
func kinds(t testing.TB) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../internal/wire/message.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Kind") {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				kind, _ := strconv.Unquote(lit.Value)
				out = append(out, kind)
			}
		}
		return true
	})
	if len(out) < 9 {
		t.Fatalf("found the kinds %v only", out)
	}
	return out
}

// TestLiesAboutNumbers: a node that claims numbers that were never given makes the hub take a new store id towards it,
// and towards nobody else; the sessions of others stay.
func TestLiesAboutNumbers(t *testing.T) {
	w := newTown(t)
	w.bad = NewSession("barn", townTwins{w})
	w.barn = &peer{t: t, s: w.bad}
	first := w.barn.hear()[0].(*wire.Hello)
	before := w.state()
	if err := w.barn.say(&wire.Answer{Version: 1, Store: "B", Dealt: []wire.Dealt{{UID: "own", Number: 77, ID: "never"}}}); err != nil {
		t.Fatal(err)
	}
	second, ok := w.barn.hear()[0].(*wire.Hello)
	if !ok || second.Hub == first.Hub || second.Session == first.Session {
		t.Errorf("after a lie the hub says %+v, before %+v", second, first)
	}
	if got := w.state(); got != before {
		t.Errorf("attic changed:\nbefore %s\nafter  %s", before, got)
	}
	w.serves()
}

// TestFloodOfDefinitions: one node cannot fill the hub: its devices are bounded, what is refused is bounded too, and
// others define as before.
func TestFloodOfDefinitions(t *testing.T) {
	w := newTown(t)
	for at := 0; at < twin.MaxDevices+500; at += 100 {
		d := &wire.Decisions{Store: "B", Rev: uint64(at + 2), Opening: "P"}
		for i := range 100 {
			def := device(twin.Name{Namespace: "flood", Name: fmt.Sprint("d", at+i)}, fmt.Sprint("flood", at+i), "barn")
			d.Devices = append(d.Devices, wire.DeviceDecisions{Name: def.Name, UID: def.UID, Definition: &def, Whole: true})
		}
		if err := w.barn.say(d); err != nil {
			t.Fatal(err)
		}
		w.hub.TakeChanged()
	}
	n, _ := w.hub.Node("barn")
	if n.Devices != twin.MaxDevices || len(n.Refused) == 0 || len(n.Refused) > 64 {
		t.Errorf("barn has %d devices, %d refused; want %d, and 1 to 64", n.Devices, len(n.Refused), twin.MaxDevices)
	}
	w.serves()
	def := device(twin.Name{Namespace: "default", Name: "later"}, "later", "attic")
	err := w.attic.say(&wire.Decisions{Store: "A", Rev: 20, Opening: "O", Devices: []wire.DeviceDecisions{{Name: def.Name, UID: def.UID, Definition: &def, Whole: true}}})
	if _, miss := w.hub.View(def.Name); err != nil || miss != nil {
		t.Errorf("attic cannot define any more: %v, %v", err, miss)
	}
}

// TestHostileNumbers: the largest numbers and generations that a node claims for its own device do no harm to the node
// that gets the device later.
func TestHostileNumbers(t *testing.T) {
	w := newTown(t)
	w.hub.Disconnect(w.now, "barn", w.bad.ID())
	w.bad = NewSession("barn", townTwins{w})
	w.barn = &peer{t: t, s: w.bad}
	w.barn.hear()
	name := twin.Name{Namespace: "default", Name: "taken"}
	def := device(name, "taken", "barn")
	def.Definer, def.Generation = twin.DefinedByCloud, math.MaxInt64
	for _, body := range []wire.Body{
		&wire.Answer{Version: 1, Store: "B", Dealt: []wire.Dealt{{UID: "taken", Number: math.MaxUint64, ID: "x"}}},
		&wire.Answer{Version: 1, Store: "B", Dealt: []wire.Dealt{{UID: "taken", Number: math.MaxUint64, ID: "x"}}}, // after a new id
		&wire.Decisions{Store: "B", Rev: math.MaxUint64, Opening: "P", Devices: []wire.DeviceDecisions{{
			Name: name, UID: "taken", Definition: &def, Whole: true, Props: []wire.PropDecision{power(true, math.MaxUint64)},
		}}},
	} {
		if err := w.barn.say(body); err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		w.barn.hear()
	}
	if _, err := w.hub.View(name); err != nil {
		return // it was not taken at all
	}
	if err := w.hub.Move(w.now, name, "attic", true); err != nil {
		t.Fatal(err)
	}
	w.ask(name, "moved")
	for range 3 { // hear decodes: what the hub says must be a message
		w.attic.hear()
	}
	offered := false
	for _, b := range w.attic.got {
		if d, ok := b.(*wire.Define); ok {
			for _, def := range d.Definitions {
				if def.Device.Name == name && def.Device.Generation < 1 {
					t.Errorf("the generation ran over: %d", def.Device.Generation)
				}
			}
		}
		if o, ok := b.(*wire.Offer); ok {
			for _, c := range o.Wishes {
				offered = offered || c.ID == "moved"
			}
		}
	}
	if !offered {
		t.Error("a wish for the device that was moved is not offered to its new node")
	}
	w.serves()
}
