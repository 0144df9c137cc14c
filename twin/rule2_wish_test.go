package twin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"twinbridge/twin"
)

// Rule 2: what is accepted, what is refused, and that refusing changes nothing.
func TestWishAcceptance(t *testing.T) {
	runRows(t, []row{
		{"accepted: expected changes at once, pending, offered", `
			ready power=OFF
			ask w1 power=ON -> pending
			see power e=ON a=OFF w=w1 by=local off=yes t=- shown=ON
			offers 1
			revs 1`},
		{"several properties are accepted whole", `
			ready power=OFF level=0
			ask w1 power=ON level=50 hue=120.5 -> pending
			see power e=ON w=w1
			see level e=50 w=w1
			see hue e=120.5 w=w1
			offers 1
			revs 1`},
		{"refused: unknown property", `
			ready power=OFF
			ask w1 powr=ON -> refused: property: "powr": expected one of power, level, hue, note, more, temp
			see power e=OFF w=-
			offers 0
			revs 0
			outcome w1 -> no such wish`},
		{"refused whole: one bad property of two", `
			ready power=OFF level=0
			ask w1 power=ON level=7 -> refused: level: "7"...
			see power e=OFF w=-
			see level e=0 w=-
			offers 0
			revs 0`},
		{"refused: read-only", `
			ready temp=20
			ask w1 temp=25 -> refused: temp: "25": expected nothing: the property is read-only`},
		{"refused: out of range, above", `
			ask w1 level=105 -> refused: level: "105": expected a number from 0 to 100`},
		{"refused: out of range, below", `
			ask w1 hue=-0.5 -> refused: hue: "-0.5": expected a number from 0 to 360`},
		{"refused: off the step", `
			ask w1 level=42 -> refused: level: "42": expected a multiple of 5 from 0`},
		{"refused: not in the enum", `
			ask w1 power=on -> refused: power: "on": expected one of ON, OFF`},
		{"refused: another type", `
			ask w1 level=many -> refused: level: "many": expected a value of type int`},
		{"refused: no property at all", `
			ask w1 -> refused: expected: ""...`},
		{"no device", `
			nowhere w1 power=ON -> not found`},
		{"refused: a press at an offline device, expected stays", `
			ready power=OFF
			state offline
			ask p1 30s power=ON -> refused: the device is offline
			see power e=OFF w=-
			offers 0
			revs 0`},
		{"a standing wish at an offline device is accepted and offered", `
			ready power=OFF
			state offline
			ask w1 power=ON -> pending
			see power e=ON w=w1 off=yes
			offers 1`},
		{"a press at an unknown device is accepted", `
			ask p1 30s power=ON -> pending
			see power e=ON w=p1 left=30s`},
		{"the same id twice is one wish", `
			ready power=OFF
			ask w1 power=ON -> pending
			revs 1
			offers 1
			ask w1 power=ON -> pending
			ask w1 level=50 -> pending
			see level e=- w=-
			revs 0
			offers 0`},
		{"the id of an ended wish tells its outcome again", `
			ready power=OFF
			ask w1 power=ON -> pending
			report power=ON
			ask w2 power=OFF -> pending
			ask w1 power=ON -> applied
			see power e=OFF w=w2`},
		{"guarded: taken while expected is as it was read", `
			ready power=OFF
			ask w1 guard=power:now power=ON -> pending`},
		{"guarded: refused once it is not, and nothing changes", `
			ready power=OFF
			ask w1 guard=power:0 power=ON -> precondition
			see power e=OFF w=-
			revs 0
			offers 0`},
		{"guarded: a report does not break the guard", `
			ready power=OFF level=0
			report level=5
			ask w1 guard=power:now power=ON -> pending`},
	})
}

func TestWishValuesOutsideText(t *testing.T) {
	long := strings.Repeat("x", twin.MaxValueLen+1)
	tests := []struct {
		name string
		wish twin.Wish
		want string
	}{
		{"NaN is no value", twin.Wish{ID: "w", Values: map[string]twin.Value{"hue": twin.FloatValue(0 / zero())}}, "hue"},
		{"absent is no value", twin.Wish{ID: "w", Values: map[string]twin.Value{"power": {}}}, "power"},
		{"too long", twin.Wish{ID: "w", Values: map[string]twin.Value{"note": twin.StringValue(long)}}, "note"},
		{"no id", twin.Wish{Values: map[string]twin.Value{"power": twin.StringValue("ON")}}, "id"},
		{"long id", twin.Wish{ID: strings.Repeat("i", twin.MaxWishIDLen+1), Values: map[string]twin.Value{"power": twin.StringValue("ON")}}, "id"},
		{"negative time", twin.Wish{ID: "w", ValidFor: -1, Values: map[string]twin.Value{"power": twin.StringValue("ON")}}, "validFor"},
		{"endless press", twin.Wish{ID: "w", ValidFor: twin.MaxValidFor + 1, Values: map[string]twin.Value{"power": twin.StringValue("ON")}}, "validFor"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			tc.wish.Origin = twin.FromLocal
			_, err := r.node.Ask(r.now, lampName, tc.wish)
			if got := field(err); got != tc.want {
				t.Errorf("field at fault: got %q (%v), want %q", got, err, tc.want)
			}
			if got := r.node.Rev(); got != r.revs {
				t.Errorf("a refused wish took a rev: %d, was %d", got, r.revs)
			}
		})
	}
}

func zero() float64 { return 0 }

// Sizes: what is expected of a device is at most 32 KiB, names included.
func TestWishDeviceStateBound(t *testing.T) {
	many := func(d *twin.Device) {
		d.Properties = nil
		for i := range 9 {
			d.Properties = append(d.Properties, twin.Property{Name: fmt.Sprintf("n%d", i), Type: twin.String})
		}
	}
	r := newLamp(t, nil, many)
	for i := range 9 {
		w := twin.Wish{ID: fmt.Sprint("w", i), Origin: twin.FromLocal, Values: map[string]twin.Value{
			fmt.Sprintf("n%d", i): twin.StringValue(strings.Repeat("x", twin.MaxValueLen-len("n0"))),
		}}
		_, err := r.node.Ask(r.now, lampName, w)
		if full := i == 8; full != (err != nil) {
			t.Errorf("wish %d of 4 KiB each: got %v, want refused: %v", i, err, full)
		}
	}
}

// What a hub or another node could not read is refused at the door, with its field.
func TestUnsendableIsRefused(t *testing.T) {
	deep := func(n int) json.RawMessage {
		return json.RawMessage(`{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`)
	}
	prop := func(c json.RawMessage) []twin.Property {
		return []twin.Property{{Name: "power", Type: twin.String, Visitor: twin.Visitor{Protocol: "sim", Config: c}}}
	}
	for _, tc := range []struct {
		name  string
		props []twin.Property
		field string
	}{
		{"config nested 30 levels", prop(deep(30)), ""},
		{"config nested 31 levels", prop(deep(31)), "config"},
		{"brackets in a string", prop(json.RawMessage(`{"a":"\"` + strings.Repeat("[", 100) + `"}`)), ""},
		{"config that is not UTF-8", prop(json.RawMessage("{\"a\":\"\xff\"}")), "config"},
		{"config that is not JSON", prop(json.RawMessage(`{`)), "config"},
		{"definition too large", prop(json.RawMessage(`"` + strings.Repeat("x", twin.MaxDefinition) + `"`)), "definition"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			before, had := r.node.Rev(), len(r.node.Names())
			err := r.node.Apply(r.now, nil, []twin.Device{{Name: twin.Name{Namespace: "default", Name: "other"}, Properties: tc.props}})
			if got := field(err); got != tc.field {
				t.Errorf("node: field at fault: got %q (%v), want %q", got, err, tc.field)
			}
			if err != nil && (r.node.Rev() != before || len(r.node.Names()) != had) {
				t.Error("a refused definition changed the node")
			}
			h, _ := twin.OpenHub(twin.HubConfig{NewID: func() string { return "id" }}, r.now, nil)
			err = h.Apply(r.now, nil, []twin.Device{{Name: lampName, Node: "attic", Properties: tc.props}})
			if got := field(err); got != tc.field {
				t.Errorf("hub: field at fault: got %q (%v), want %q", got, err, tc.field)
			}
			if err != nil && len(h.Names()) != 0 {
				t.Error("a refused definition changed the hub")
			}
		})
	}
	r := newLamp(t, nil, nil)
	_, err := r.node.Ask(r.now, lampName, twin.Wish{
		ID: "w", Origin: twin.FromLocal, Asker: strings.Repeat("a", 129), Values: map[string]twin.Value{"power": twin.StringValue("ON")},
	})
	if got := field(err); got != "asker" {
		t.Errorf("asker of 129 bytes: field at fault %q (%v)", got, err)
	}
}

// The reasons of outcomes and troubles are bounded, at a rune border: mappers write them, and they name properties.
func TestReasonsAreClipped(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play("ready power=OFF")
	_, err := r.node.Ask(r.now, lampName, twin.Wish{ID: "w", Origin: twin.FromLocal, Values: map[string]twin.Value{"power": twin.StringValue("ON")}})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("ä", 5000)
	_, err = r.node.Report(r.now, lampName, twin.Report{Props: map[string]twin.PropReport{"power": {Wish: "w", Error: long}}, Echo: true})
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.node.WishView(lampName, "w")
	if err != nil || v.Trouble == "" || len(v.Trouble) > 260 || !utf8.ValidString(v.Trouble) {
		t.Errorf("trouble of %d bytes (valid %v), %v", len(v.Trouble), utf8.ValidString(v.Trouble), err)
	}
}

// Rule 2: 64 unanswered wishes per device.
func TestTooManyWishes(t *testing.T) {
	r := newLamp(t, nil, func(d *twin.Device) {
		d.Properties = nil
		for i := range 70 {
			d.Properties = append(d.Properties, twin.Property{Name: fmt.Sprintf("n%d", i), Type: twin.Bool})
		}
	})
	ask := func(i int) error {
		_, err := r.node.Ask(r.now, lampName, twin.Wish{
			ID: fmt.Sprint("w", i), Origin: twin.FromLocal,
			Values: map[string]twin.Value{fmt.Sprintf("n%d", i): twin.BoolValue(true)},
		})
		return err
	}
	for i := range twin.MaxWishes {
		if err := ask(i); err != nil {
			t.Fatalf("wish %d: %v", i, err)
		}
	}
	revs := r.node.Rev()
	if err := ask(twin.MaxWishes); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("one more: got %v, want too many", err)
	}
	if r.node.Rev() != revs {
		t.Error("a refused wish took a rev")
	}
	_, err := r.node.Report(r.now, lampName, twin.Report{Props: map[string]twin.PropReport{"n3": {Value: twin.BoolValue(true), Wish: "w3"}}, Echo: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(twin.MaxWishes); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

// The last 16 outcomes stay readable.
func TestKeptOutcomes(t *testing.T) {
	r := newLamp(t, nil, nil)
	for i := range twin.KeptOutcomes + 2 {
		on := twin.BoolValue(i%2 == 0)
		id := fmt.Sprint("w", i)
		if _, err := r.node.Ask(r.now, lampName, twin.Wish{ID: id, Origin: twin.FromLocal, Values: map[string]twin.Value{"more": on}}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.node.Report(r.now, lampName, twin.Report{Echo: true, Props: map[string]twin.PropReport{"more": {Value: on, Wish: id}}}); err != nil {
			t.Fatal(err)
		}
		r.wait(100 * time.Millisecond)
	}
	for id, want := range map[string]string{"w1": "no such wish", "w2": "applied", "w17": "applied"} {
		got, err := r.outcome(id)
		if err != nil {
			got = describe(err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}
