package twin_test

import (
	"fmt"
	"testing"

	"twinbridge/twin"
)

func runWorlds(t *testing.T, before string, rows []row) {
	t.Helper()
	for _, tc := range rows {
		t.Run(tc.rule, func(t *testing.T) {
			w := newWorld(t)
			w.play(before)
			w.play(tc.script)
		})
	}
}

// home: a lamp that the cloud defined lives in the attic, is off, and all sides know it.
const home = `
	connect
	hub define attic
	pump
	ready power=OFF level=0
	pump
	hub see power e=OFF a=OFF w=-`

// Rule 3, the hub's side.
func TestHubWishes(t *testing.T) {
	runWorlds(t, home, []row{
		{"live: pending at the hub until the node tells the outcome", `
			hub ask c1 power=ON -> pending
			hub see power e=ON a=OFF w=c1 t=-
			pump
			see power e=ON w=c1
			hub outcome c1 -> pending
			echo power=ON#c1
			pump
			hub outcome c1 -> applied
			hub see power e=ON a=ON w=- by=cloud`},
		{"not offered before it is on the hub's disk", `
			hub commit
			hub ask c1 power=ON
			offered ->
			hub restart
			hub outcome c1 -> no such wish`},
		{"refused at the door: nothing is kept", `
			hub ask c1 level=7 -> refused: level...
			hub outcome c1 -> no such wish
			hub see level e=0 w=-`},
		{"the same id twice is one wish", `
			hub ask c1 power=ON -> pending
			hub ask c1 power=OFF -> pending
			pump
			offered -> c1
			see power e=ON`},
		{"offered in order", `
			hub ask c1 power=ON
			hub ask c2 level=50
			hub ask c3 power=OFF
			pump
			offered -> c1 c2 c3
			see power e=OFF w=c3
			hub outcome c1 -> superseded by c3: power`},
		{"offered once in a session, and again after each reconnect until the outcome is told", `
			hub ask c1 power=ON
			pump
			offered -> c1
			pump
			offered ->
			cut
			connect
			pump
			offered -> c1
			see power w=c1
			echo power=ON#c1
			pump
			cut
			connect
			pump
			offered ->
			hub outcome c1 -> applied`},
		{"an outcome not told before the cut is told after it", `
			hub ask c1 power=ON
			pump
			lose
			echo power=ON#c1
			connect
			pump
			hub outcome c1 -> applied`},
		{"the reason of trouble is seen at the hub", `
			hub ask c1 power=ON
			pump
			echo power=?#c1
			pump
			hub see power e=ON w=c1 t=yes
			hub outcome c1 -> pending, trouble: relay stuck`},
		{"made while the node is away: pending, node unreachable, presence unknown", `
			cut
			hub presence -> unknown
			hub ask c1 power=ON -> pending
			hub see power e=ON w=c1 t=yes
			connect
			pump
			see power e=ON w=c1
			hub see power t=-`},
		{"a newer wish that covers all its properties supersedes an unsent one", `
			cut
			hub ask c1 power=ON
			hub ask c2 power=OFF level=50
			hub outcome c1 -> superseded by c2: power
			connect
			pump
			offered -> c2`},
		{"not if it covers only some", `
			cut
			hub ask c1 power=ON level=50
			hub ask c2 power=OFF
			hub outcome c1 -> pending, trouble: node unreachable
			connect
			pump
			offered -> c1 c2`},
		{"not by a guarded one", `
			cut
			hub ask c1 level=50
			hub ask c2 guard=power:now level=5 -> pending
			hub outcome c1 -> pending, trouble: node unreachable
			connect
			pump
			offered -> c1 c2
			hub outcome c1 -> superseded by c2: level`},
		{"guarded while another waits for the property: 412, expected is not what was read", `
			cut
			hub ask c1 level=50
			hub ask c2 guard=level:now level=5 -> precondition
			hub outcome c1 -> pending, trouble: node unreachable`},
		{"not a standing one by a press", `
			cut
			hub ask c1 power=ON
			hub ask c2 30s power=OFF
			hub outcome c1 -> pending, trouble: node unreachable
			connect
			pump
			offered -> c1 c2`},
		{"a press by a press", `
			cut
			hub ask c1 30s power=ON
			hub ask c2 30s power=OFF
			hub outcome c1 -> superseded by c2: power`},
		{"not one that insists by one that does not", `
			cut
			hub ask c1 insist power=ON
			hub ask c2 power=OFF
			hub outcome c1 -> pending, trouble: node unreachable
			hub ask c3 insist power=OFF
			hub outcome c1 -> superseded by c3: power`},
		{"what was sent is not superseded at the hub", `
			hub ask c1 power=ON
			pump
			cut
			hub ask c2 power=OFF
			hub outcome c1 -> pending, trouble: node unreachable`},
		{"made in a session counts as sent, though nothing went out", `
			hub ask c1 30s power=ON
			cut
			wait 1m
			hub outcome c1 -> pending, trouble: node unreachable
			hub ask c2 30s power=OFF
			hub outcome c1 -> pending, trouble: node unreachable
			connect
			pump
			hub outcome c1 -> expired...`},
		{"validFor ends an unsent one at the hub", `
			cut
			hub ask c1 30s power=ON
			wait 29s
			hub outcome c1 -> pending, trouble: node unreachable
			wait 1s
			hub outcome c1 -> expired...
			connect
			pump
			offered ->
			see power e=OFF`},
		{"the hub sends what remains of a press", `
			cut
			hub ask c1 30s power=ON
			wait 20s
			connect
			pump
			see power e=ON w=c1 left=10s`},
		{"guarded at the hub: 412 once expected is not as it was read", `
			hub ask c1 guard=power:now power=ON -> pending
			hub ask c2 guard=power:now power=OFF -> precondition`},
		{"after a restart of the hub nothing is forgotten", `
			cut
			hub ask c1 power=ON
			hub ask c2 level=50
			hub commit
			hub restart
			hub outcome c1 -> pending, trouble: node unreachable
			connect
			pump
			offered -> c1 c2
			echo power=ON#c1 level=50#c2
			pump
			hub commit
			hub restart
			hub outcome c1 -> applied
			hub see power e=ON w=-`},
	})
}

// Rule 3: the hub's bound per device.
func TestHubTooManyWishes(t *testing.T) {
	w := newWorld(t)
	w.play(home)
	for i := range twin.MaxWishes {
		w.play(fmt.Sprintf("hub ask c%d level=%d -> pending", i, 5*(i%20)))
	}
	w.play(`
		hub ask more level=5 -> refused: too many...
		hub outcome more -> no such wish
		pump
		hub ask more level=5 -> pending`)
}

// Section 11, Monotone: a rev is shown once the hub's own disk has it, so that a hub that is killed never shows an older
// one than before.
func TestHubHidesRev(t *testing.T) {
	w := newWorld(t)
	w.play(home)
	power := func() twin.PropertyView {
		t.Helper()
		v, err := w.hub.View(lampName)
		if err != nil {
			t.Fatal(err)
		}
		p := v.Prop("power")
		if v.Hidden != p.Hidden || v.Hides(nil) != p.Hidden || v.Hides(map[string]twin.Value{"power": {}}) != p.Hidden {
			t.Errorf("the device says hidden=%v, its property %v", v.Hidden, p.Hidden)
		}
		if v.Hides(map[string]twin.Value{"level": {}}) {
			t.Error("a property that nothing was decided about is hidden")
		}
		return *p
	}
	old := power()
	if old.Hidden || old.Rev == 0 {
		t.Fatalf("before: hidden=%v rev %d", old.Hidden, old.Rev)
	}
	shown, _ := w.hub.View(lampName)
	w.play(`ask h1 power=ON`)
	w.tell(w.nodes["attic"])
	if p := power(); !p.Hidden || p.Rev != 0 || p.Expected != twin.StringValue("ON") {
		t.Errorf("told, not on the hub's disk: hidden=%v rev %d expected %s", p.Hidden, p.Rev, p.Expected)
	}
	if v, _ := w.hub.View(lampName); v.Rev != shown.Rev {
		t.Errorf("the device's rev is %d, before it was %d", v.Rev, shown.Rev)
	}
	w.hub.TakeChanged()
	w.commitHub()
	now := power()
	if now.Hidden || now.Rev <= old.Rev {
		t.Errorf("on disk: hidden=%v rev %d after %d", now.Hidden, now.Rev, old.Rev)
	}
	if got := w.hub.TakeChanged(); len(got) != 1 || got[0] != lampName {
		t.Errorf("readers hear of %v", got)
	}
	w.play(`ask h2 power=OFF`)
	w.tell(w.nodes["attic"])
	w.openHub()
	if p := power(); p.Hidden || p.Rev != now.Rev || p.Expected != now.Expected {
		t.Errorf("after a kill before the commit: hidden=%v rev %d expected %s, before it was told %d %s", p.Hidden, p.Rev, p.Expected, now.Rev, now.Expected)
	}
}
