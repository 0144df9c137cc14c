package twin_test

import "testing"

// Rule 2, superseded; rule 5, an ended wish.
func TestSuperseded(t *testing.T) {
	runRows(t, []row{
		{"a later wish takes the property", `
			ready power=OFF
			ask w1 power=ON
			ask w2 origin=homekit power=OFF -> pending
			outcome w1 -> superseded by w2: power
			see power e=OFF w=w2 by=homekit
			offers 2`},
		{"even if its value equals actual it is offered: the mapper may be half-way", `
			ready power=OFF
			ask w1 power=ON
			offers 1
			ask w2 power=OFF -> pending
			offers 1
			see power w=w2 off=yes`},
		{"a wish that lost some goes on with the rest, in one offer", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			offers 1
			ask w2 power=OFF
			offers 1
			outcome w1 -> pending
			see power w=w2
			see level e=50 w=w1 off=yes`},
		{"it ends superseded when its last one ends, also if that one was shown", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			ask w2 power=OFF
			report level=50
			outcome w1 -> superseded by w2: power
			outcome w2 -> pending`},
		{"it ends superseded when its last one is taken too", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			ask w2 power=OFF
			ask w3 level=10
			outcome w1 -> superseded by w3: power,level`},
		{"at most one wish per property is pending", `
			ready power=OFF
			ask w1 power=ON
			ask w2 power=OFF
			ask w3 power=ON
			outcome w1 -> superseded by w2: power
			outcome w2 -> superseded by w3: power
			outcome w3 -> pending`},
		{"a property once shown is not waited for again", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			echo power=ON#w1
			see power w=-
			see level w=w1
			outcome w1 -> pending
			echo level=50#w1
			outcome w1 -> applied`},
		{"a hand on a property already shown does not end the wish", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			echo power=ON#w1
			echo power=OFF!
			see power e=OFF w=- by=device
			echo level=50#w1
			outcome w1 -> applied`},
	})
}

func TestEndedPressIsHandedOver(t *testing.T) {
	runRows(t, []row{
		{"an offered press that expires: the expected now in force is handed over in the same step", `
			ready power=OFF
			ask p1 5s power=ON
			offers 1
			wait 5s
			see power e=OFF a=OFF w=restore off=yes
			offers 1
			revs 2`},
		{"the same for one that fails", `
			ready power=OFF
			ask p1 30s power=ON
			offers 1
			echo power=?#p1
			see power w=restore
			offers 1`},
		{"one that was never offered, and took its property from a wish that was: the mapper may be busy with that", `
			ready power=OFF
			link
			commit
			ask w1 power=ON
			offers 1
			cloud c1 5s power=OFF
			outcome w1 -> superseded by c1: power
			offers 0
			wait 5s
			outcome c1 -> expired...
			see power e=OFF a=OFF w=restore off=yes
			offers 1`},
		{"the restore ends when it is shown", `
			ready power=OFF
			ask p1 5s power=ON
			wait 5s
			report power=OFF
			see power e=OFF a=OFF w=-`},
		{"by a report that may be stale only after the settle time", `
			ready power=OFF
			ask p1 500ms power=ON
			wait 500ms
			report power=OFF
			see power w=restore
			wait 999ms
			report power=OFF
			see power w=restore
			wait 1ms
			report power=OFF
			see power e=OFF a=OFF w=-`},
		{"a restore is superseded by any wish", `
			ready power=OFF
			ask p1 5s power=ON
			wait 5s
			ask w1 power=ON -> pending
			see power e=ON w=w1`},
		{"what the press had shown of itself goes back with it, to what is actual", `
			ready power=OFF level=0
			ask p1 5s power=ON level=50
			echo power=ON#p1
			wait 5s
			outcome p1 -> expired...
			see power e=ON a=ON
			see level e=0 a=0 w=restore`},
		{"what the house wished anew since the press had shown it does not go back", `
			ready power=OFF level=0
			ask p1 5s power=ON level=50
			echo power=ON#p1
			ask w1 power=OFF -> pending
			wait 5s
			outcome p1 -> expired...
			see power e=OFF a=ON w=w1
			see level e=0 w=restore`},
		{"an offered press that ends where nothing was reported: the rest is handed over again", `
			ready power=OFF
			ask w1 power=ON
			ask p1 5s note=hello
			offers 2
			wait 5s
			outcome p1 -> expired...
			see note e=- w=-
			offers 1`},
		{"a report that echoes the ended press is never an act; it opens a restore", `
			ready power=OFF
			ask p1 5s power=ON
			wait 5s
			wait 1s
			report power=OFF
			see power w=-
			echo power=ON#p1
			see power e=OFF a=ON w=restore`},
		{"not even if it is marked", `
			ready power=OFF
			ask p1 5s power=ON
			wait 5s
			wait 1s
			report power=OFF
			echo power=ON#p1!
			see power e=OFF a=ON w=restore`},
	})
}
