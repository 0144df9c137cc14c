package twin_test

import "testing"

// Rule 5, restore.
func TestRestore(t *testing.T) {
	runRows(t, []row{
		{"the first report after coming online differs: a restore, so the switch pressed before it is undone", `
			ready power=ON
			state offline
			state online
			report power=OFF
			see power e=ON a=OFF w=restore off=yes shown=OFF
			offers 1
			revs 0
			wait 1s
			report power=ON
			see power e=ON a=ON w=-`},
		{"by a report alone, without a state", `
			ready power=ON
			state offline
			report power=OFF
			presence -> online online
			see power e=ON w=restore`},
		{"coming online from unknown", `
			ready power=ON
			commit
			restart
			presence -> unknown
			report power=OFF
			see power e=ON a=OFF w=restore`},
		{"each property has its own first report", `
			ready power=ON level=50
			state offline
			state online
			report power=ON
			report level=0
			see power w=-
			see level e=50 a=0 w=restore`},
		{"only the first: the second is a hand on the switch", `
			ready power=ON
			state offline
			state online
			report power=ON
			report power=OFF
			see power e=ON w=-
			wait 1s
			see power e=OFF by=device`},
		{"not while a wish is pending", `
			ready power=ON
			state offline
			ask w1 power=OFF
			state online
			report power=ON
			see power e=OFF w=w1`},
		{"superseded by any wish", `
			ready power=ON
			state offline
			state online
			report power=OFF
			see power w=restore
			ask w1 power=OFF -> pending
			see power e=OFF w=w1
			commit
			report power=OFF
			outcome w1 -> pending
			wait 1s
			report power=OFF
			outcome w1 -> applied`},
		{"in trouble it is retried like a standing wish", `
			ready power=ON
			state offline
			state online
			report power=OFF
			wait 10s
			see power e=ON w=restore t=yes
			look
			wait 1s
			offers 1`},
		{"online from a new connection counts as coming online", `
			ready power=ON
			from c2
			state online
			report power=OFF
			see power e=ON w=restore`},
		{"online again from the same connection does not", `
			ready power=ON
			state online
			report power=OFF
			see power e=ON w=-
			wait 1s
			see power e=OFF by=device`},
		{"absent expected: nothing is restored, the first report sets it, nobody's act", `
			state online
			report power=ON
			see power e=ON a=ON by=restore w=-
			offers 0`},
	})
}

// Rule 5, a hand on the switch.
func TestHandOnTheSwitch(t *testing.T) {
	runRows(t, []row{
		{"marked as an act: at once a wish of the device", `
			ready power=OFF
			echo power=ON!
			see power e=ON a=ON w=- by=device
			revs 1
			offers 0`},
		{"marked: it supersedes a pending wish; what was offered of it is handed over", `
			ready power=OFF level=0
			ask w1 level=50
			offers 1
			echo level=10!
			outcome w1 -> superseded by device-...
			see level e=10 a=10 w=restore by=device
			offers 1`},
		{"marked: several properties of one report are one act", `
			ready power=OFF level=0
			echo power=ON! level=50!
			see power e=ON by=device
			see level e=50 by=device
			revs 1`},
		{"unmarked while a wish is pending: only actual", `
			ready power=OFF level=0
			ask w1 level=50
			report level=10
			see level e=50 a=10 w=w1
			wait 2s
			see level e=50 a=10 w=w1`},
		{"unmarked while a restore is pending: only actual", `
			ready power=ON
			state offline
			state online
			report power=OFF
			wait 2s
			report power=OFF
			wait 2s
			see power e=ON a=OFF w=restore`},
		{"unmarked, still different after the settle time: expected follows, no delta", `
			ready power=OFF
			report power=ON
			see power e=OFF a=ON w=- shown=ON
			wait 999ms
			see power e=OFF
			revs 0
			wait 1ms
			see power e=ON a=ON by=device w=-
			revs 1
			offers 0`},
		{"unmarked, an equal report within the settle time: nothing happened", `
			ready power=OFF
			report power=ON
			wait 500ms
			report power=OFF
			wait 1m
			see power e=OFF a=OFF w=-
			revs 0`},
		{"unmarked, changing on: expected follows the last one", `
			ready level=0
			report level=10
			wait 500ms
			report level=20
			wait 500ms
			see level e=20 a=20 by=device`},
		{"a wish within the settle time wins over the hand", `
			ready level=0
			report level=10
			ask w1 level=50
			wait 1s
			see level e=50 a=10 w=w1`},
		{"offline in between: the settle time is forgotten, the first report after it restores", `
			ready power=OFF
			report power=ON
			wait 500ms
			state offline
			wait 1m
			see power e=OFF a=ON w=- by=restore
			state online
			report power=ON
			see power e=OFF a=ON w=restore`},
		{"drift hold, unmarked: put back after the settle time", `
			device drift=hold
			ready power=OFF
			report power=ON
			wait 999ms
			see power e=OFF w=-
			wait 1ms
			see power e=OFF a=ON w=restore
			offers 1
			revs 0`},
		{"drift hold, marked: the same", `
			device drift=hold
			ready power=OFF
			echo power=ON!
			see power e=OFF a=ON w=-
			wait 1s
			see power e=OFF a=ON w=restore`},
		{"a lock never follows", `
			device kind=lock
			ready power=OFF
			report power=ON
			wait 1s
			see power e=OFF a=ON w=restore`},
		{"a marked act as the first report after coming online is undone", `
			ready power=OFF
			state offline
			state online
			echo power=ON!
			see power e=OFF a=ON w=restore`},
		{"an act of the device is an act of the house: a waited wish loses", `
			ready power=OFF
			commit
			mark power
			echo power=ON!
			commit
			link
			cloud c1 waited seen=mark power=OFF
			outcome c1 -> superseded by house: power`},
	})
}
