package twin_test

import "testing"

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
			hub see power e=ON w=-
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
			hub outcome c1 -> pending, trouble: node unreachable
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
