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
			hub outcome c1 -> pending
			connect
			pump
			offered -> c1 c2`},
		{"not by a guarded one", `
			cut
			hub ask c1 level=50
			hub ask c2 power=ON
			hub ask c3 guard=level:now level=5 -> precondition
			hub outcome c1 -> pending`},
		{"not a standing one by a press", `
			cut
			hub ask c1 power=ON
			hub ask c2 30s power=OFF
			hub outcome c1 -> pending
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
			hub outcome c1 -> pending
			hub ask c3 insist power=OFF
			hub outcome c1 -> superseded by c3: power`},
		{"what was sent is not superseded at the hub", `
			hub ask c1 power=ON
			pump
			cut
			hub ask c2 power=OFF
			hub outcome c1 -> pending`},
		{"made in a session counts as sent, though nothing went out", `
			hub ask c1 30s power=ON
			cut
			wait 1m
			hub outcome c1 -> pending
			hub ask c2 30s power=OFF
			hub outcome c1 -> pending
			connect
			pump
			hub outcome c1 -> expired...`},
		{"validFor ends an unsent one at the hub", `
			cut
			hub ask c1 30s power=ON
			wait 29s
			hub outcome c1 -> pending
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
			hub outcome c1 -> pending
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

// Rule 4, with a real hub between.
func TestHubWhoWins(t *testing.T) {
	runWorlds(t, home, []row{
		{"a wish that waited loses against the house, and says so", `
			cut
			hub ask c1 power=ON
			ask w1 level=50
			ask w2 power=OFF
			connect
			pump
			hub outcome c1 -> superseded by house: power
			hub see power e=OFF`},
		{"it takes effect where the house did nothing to its properties", `
			cut
			hub ask c1 power=ON
			ask w1 level=50
			connect
			pump
			see power e=ON w=c1
			hub see level e=50 w=-`},
		{"it takes effect over an act that its asker had seen", `
			ask w1 power=ON
			echo power=ON#w1
			pump
			cut
			hub ask c1 power=OFF
			connect
			pump
			see power e=OFF w=c1`},
		{"a house no-op while away is an act: somebody pressed the button that the lamp agrees with", `
			cut
			hub ask c1 power=ON
			ask w1 power=OFF -> applied
			connect
			pump
			hub outcome c1 -> superseded by house: power
			see power e=OFF w=-`},
		{"insisting it takes effect anyway", `
			cut
			hub ask c1 insist power=ON
			ask w1 power=OFF
			connect
			pump
			see power e=ON w=c1`},
		{"live it takes effect anyway", `
			ask w1 power=OFF
			hub ask c1 power=ON
			pump
			see power e=ON w=c1`},
		{"carried over a cut it is waited", `
			hub ask c1 power=ON
			cut
			ask w1 level=5
			ask w2 power=OFF
			connect
			pump
			hub outcome c1 -> superseded by house: power`},
		{"a wall switch while the hub was away stands", `
			cut
			hub ask c1 level=50
			report level=20
			wait 1s
			connect
			pump
			hub outcome c1 -> superseded by house: level
			hub see level e=20 a=20 by=device`},
	})
}

// Rules 6 and 7: stores that come and go.
func TestStores(t *testing.T) {
	runWorlds(t, home, []row{
		{"node with a new store: definitions, what was expected, every wish without outcome", `
			ask w1 power=ON
			echo power=ON#w1
			hub ask c1 level=50
			pump
			offered -> c1
			cut
			newdisk
			connect
			pump
			see power e=ON off=yes
			see level e=50 w=c1`},
		{"the hub ends what had not seen the last act that it knows, before it goes to the new store", `
			cut
			hub ask c1 power=ON
			hub ask c2 insist level=50
			ask w1 power=OFF level=5
			connect
			tell
			cut
			newdisk
			connect
			hub outcome c1 -> superseded by house: power
			hub outcome c2 -> pending
			pump
			offered -> ...
			see power e=OFF
			see level e=50 w=c2`},
		{"of one that was sent the node is asked only: an old disk may have carried it out", `
			hub ask c1 power=ON
			lose
			ask w1 power=OFF level=5
			connect
			tell
			cut
			newdisk
			connect
			hub outcome c1 -> pending
			pump
			hub outcome c1 -> superseded by house: power
			see power e=OFF`},
		{"an act that died with the disk is known to nobody: the waited wish takes effect", `
			cut
			hub ask c1 power=ON
			ask w1 power=OFF
			newdisk
			connect
			pump
			see power e=ON w=c1`},
		{"hub with a new store: the node sends its whole state, the definition comes back with uid and generation", `
			ask w1 power=ON
			echo power=ON#w1
			pump
			cut
			hub newdisk
			connect
			pump
			hub see power e=ON a=ON by=local w=-
			see power e=ON a=ON
			hub ask c9 power=OFF -> pending
			pump
			see power e=OFF w=c9`},
		{"absence is never deletion", `
			cut
			hub newdisk
			connect
			pump
			presence -> online online
			cut
			newdisk
			connect
			pump
			see power e=OFF
			hub see power e=OFF`},
		{"node with an old disk: it takes a new store id, what the hub had last is offered to it", `
			save
			ask w1 power=ON
			echo power=ON#w1
			pump
			cut
			old
			connect
			pump
			see power e=ON
			state online
			hub see power e=ON`},
		{"hub with an old disk: what was sent is a question only", `
			cut
			hub ask c1 power=ON
			connect
			pump
			offered -> c1
			hub save
			echo power=ON#c1
			pump
			hub outcome c1 -> applied
			hub ask c2 power=OFF
			pump
			echo power=OFF#c2
			pump
			cut
			hub old
			hub outcome c1 -> pending
			connect
			pump
			hub outcome c1 -> applied
			hub see power e=OFF a=OFF w=-
			see power e=OFF w=-`},
	})
}

// Rule 6: deleting and moving.
func TestHubDefinitions(t *testing.T) {
	runWorlds(t, home, []row{
		{"deleted by the cloud: the node removes it and acknowledges", `
			ask w1 power=ON
			hub delete
			pump
			see power -> not found
			hub see power -> not found`},
		{"deleted while the node is away: its wish ends when the node has said so", `
			hub ask c1 power=ON
			pump
			cut
			echo power=ON#c1
			hub delete
			connect
			pump
			hub outcome c1 -> applied`},
		{"deleted: a wish that was never sent ends deleted", `
			cut
			hub ask c1 power=ON
			hub delete
			connect
			pump
			hub outcome c1 -> superseded by deleted: power`},
		{"created again: nothing is left of the first", `
			ask w1 power=ON
			hub delete
			hub define attic
			pump
			see power e=- a=- w=-
			hub see power e=- a=- w=-`},
		{"moved: the new node gets it once the old one acknowledged", `
			connect cellar
			ask w1 power=ON
			pump
			cut
			hub move cellar
			pump
			cellar: see power -> not found
			connect
			pump
			see power -> not found
			cellar: see power e=ON
			hub see power e=ON`},
		{"moved by force: at once", `
			connect cellar
			ask w1 power=ON
			echo power=ON#w1
			pump
			cut
			hub move cellar force
			pump
			cellar: see power e=ON
			connect
			pump
			see power -> not found
			hub see power e=ON`},
		{"a wish without outcome goes along", `
			connect cellar
			hub ask c1 power=ON
			pump
			hub move cellar
			pump
			cellar: see power e=ON w=c1
			hub outcome c1 -> pending
			cellar: echo power=ON#c1
			pump
			hub outcome c1 -> applied`},
		{"what the old node still says is ignored", `
			connect cellar
			cut
			hub move cellar force
			pump
			ask w1 power=ON
			connect
			pump
			hub see power e=OFF
			cellar: see power e=OFF`},
	})
}
