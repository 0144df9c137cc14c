package twin_test

import "testing"

// Rule 4: who wins.
func TestWhoWins(t *testing.T) {
	runRows(t, []row{
		{"live: the last to arrive wins, whoever sent it", `
			ready power=OFF
			link
			ask w1 power=ON
			commit
			cloud c1 power=OFF
			outcome w1 -> superseded by c1: power
			see power e=OFF w=c1
			ask w2 power=ON
			outcome c1 -> superseded by w2: power`},
		{"waited: takes effect if the house has not acted since what it had seen", `
			ready power=OFF
			ask w1 power=ON
			echo power=ON#w1
			commit
			link
			cloud c1 waited seen=now power=OFF
			see power e=OFF w=c1`},
		{"waited: the house wins if it has", `
			ready power=OFF
			commit
			mark power
			ask w1 power=ON
			echo power=ON#w1
			commit
			link
			cloud c1 waited seen=mark power=OFF
			outcome c1 -> superseded by house: power
			see power e=ON w=-`},
		{"carried over a cut is waited", `
			ready power=OFF
			mark power
			ask w1 power=ON
			commit
			link
			cloud c1 carried seen=mark power=OFF
			outcome c1 -> superseded by house: power`},
		{"waited: an act on another property does not matter", `
			ready power=OFF level=0
			commit
			mark level
			ask w1 power=ON
			commit
			link
			cloud c1 waited seen=mark level=50
			outcome c1 -> pending`},
		{"waited on two, the house acted on one: superseded whole, naming the property", `
			ready power=OFF level=0
			commit
			mark level
			ask w1 power=ON
			commit
			link
			cloud c1 waited seen=mark level=50 power=OFF
			outcome c1 -> superseded by house: power
			see level e=0 w=-`},
		{"a seen rev of another store counts as 0", `
			ready power=OFF
			ask w1 power=ON
			commit
			link
			cloud c1 waited seen=other power=OFF
			outcome c1 -> superseded by house: power`},
		{"and 0 is enough where the house never acted", `
			ready power=OFF
			link
			cloud c1 waited seen=other power=ON
			outcome c1 -> pending`},
		{"a settle time that is running counts as an act", `
			ready power=OFF
			commit
			link
			report power=ON
			cloud c1 waited seen=now power=OFF
			outcome c1 -> superseded by house: power
			wait 1s
			see power e=ON by=device`},
		{"live against a running settle time: the last to arrive wins", `
			ready power=OFF
			commit
			link
			report power=ON
			cloud c1 power=OFF
			see power e=OFF w=c1`},
		{"following the device is an act", `
			ready power=OFF
			commit
			mark power
			report power=ON
			wait 1s
			commit
			link
			cloud c1 waited seen=mark power=OFF
			outcome c1 -> superseded by house: power`},
		{"a restore is nobody's act", `
			ready power=ON
			commit
			mark power
			state offline
			state online
			report power=OFF
			wait 1s
			report power=ON
			commit
			link
			cloud c1 waited seen=mark power=OFF
			outcome c1 -> pending`},
		{"a wish of the cloud is no act of the house", `
			ready power=OFF
			link
			commit
			mark power
			cloud c1 power=ON
			commit
			cloud c2 waited seen=mark power=OFF
			outcome c2 -> pending`},
		{"guarded and as read: taken", `
			ready power=OFF
			commit
			link
			cloud c1 guard=power:now power=ON
			outcome c1 -> pending`},
		{"guarded and no longer so: superseded, live or not", `
			ready power=OFF
			commit
			mark power
			ask w1 power=ON
			commit
			link
			cloud c1 guard=power:mark power=OFF
			outcome c1 -> superseded: expected has changed...
			cloud c2 waited insist guard=power:mark power=OFF
			outcome c2 -> superseded: expected has changed...
			see power e=ON w=w1`},
		{"insisting: takes effect though it waited", `
			ready power=OFF
			ask w1 power=ON
			commit
			link
			cloud c1 waited insist power=OFF
			see power e=OFF w=c1
			outcome w1 -> superseded by c1: power`},
		{"conflict: cloud makes each of them insist", `
			device conflict=cloud
			ready power=OFF
			ask w1 power=ON
			commit
			link
			cloud c1 waited power=OFF
			see power e=OFF w=c1`},
	})
}
