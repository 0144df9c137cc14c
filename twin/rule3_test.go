package twin_test

import (
	"fmt"
	"testing"

	"twinbridge/twin"
)

// Rule 3: wishes from the cloud are proposals.
func TestCloudWish(t *testing.T) {
	runRows(t, []row{
		{"accepted, committed, offered, applied, told", `
			ready power=OFF
			link
			commit
			told -> def:1 power=OFF/restore
			cloud c1 power=ON
			see power e=ON w=c1 by=cloud
			told ->
			commit
			told -> power=ON/cloud
			echo power=ON#c1
			commit
			told -> 1:c1:applied
			dealt -> 1`},
		{"accepted at most once, however often it is sent", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			echo power=ON#c1
			ask w1 power=OFF
			commit
			look
			cloud c1 nr=1 power=ON
			see power e=OFF w=w1
			revs 0`},
		{"a number below the highest dealt with is not taken, and answered: the hub has lost what it knew of it", `
			ready power=OFF
			link
			cloud c5 nr=5 power=ON
			look
			cloud c3 nr=3 power=OFF
			outcome c3 -> superseded by hub restored: power
			see power e=ON w=c5
			revs 1`},
		{"the number is recorded with the outcome: also after a crash", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			restart
			dealt -> 1
			link
			cloud c1 nr=1 power=ON
			see power e=ON w=c1`},
		{"before the commit nothing is recorded: the offer after the crash counts", `
			ready power=OFF
			link
			commit
			cloud c1 power=ON
			restart
			dealt -> 0
			see power e=OFF
			link
			cloud c1 nr=1 power=ON
			see power e=ON w=c1`},
		{"refused: number and outcome are recorded and told", `
			ready power=OFF
			link
			commit
			told -> def:1 power=OFF/restore
			cloud c1 level=7
			commit
			told -> 1:c1:refused
			dealt -> 1
			outcome c1 -> refused: level: "7"...`},
		{"a press at an offline device: refused, expected stays, number and outcome recorded", `
			ready power=OFF
			state offline
			link
			commit
			told -> def:1 power=OFF/restore
			cloud c1 30s power=ON
			see power e=OFF w=-
			commit
			told -> 1:c1:refused
			dealt -> 1`},
		{"a press that arrives with no time left ends expired and changes nothing", `
			ready power=OFF
			link
			cloud c1 30s left=0s power=ON
			outcome c1 -> expired...
			see power e=OFF w=-`},
		{"a press has the time that the hub says is left", `
			ready power=OFF
			link
			cloud c1 1h left=5s power=ON
			commit
			see power left=5s
			wait 5s
			outcome c1 -> expired...`},
		{"a no-op of the cloud takes a rev, for its number and its outcome", `
			ready power=OFF
			link
			commit
			told -> def:1 power=OFF/restore
			look
			cloud c1 power=OFF
			outcome c1 -> applied
			revs 1
			offers 0
			commit
			told -> 1:c1:applied`},
		{"known by id under a new number while pending: its fate goes on", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			link store=hub-2
			cloud c1 nr=4 waited power=ON
			see power e=ON w=c1
			echo power=ON#c1
			commit
			told -> def:1 power=ON/cloud 4:c1:applied`},
		{"known by id under a new number once ended: the same outcome is told again, nothing is done", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			echo power=ON#c1
			ask w1 power=OFF
			commit
			link store=hub-2
			look
			cloud c1 nr=9 waited insist power=ON
			see power e=OFF w=w1
			offers 0
			commit
			told -> def:1 power=OFF/local 9:c1:applied
			dealt -> 9`},
		{"under the same id as an ended wish of the house: nothing is done", `
			ready power=OFF
			link
			ask w1 power=ON
			echo power=ON#w1
			ask w2 power=OFF
			cloud w1 insist power=ON
			see power e=OFF w=w2`},
		{"numbers start anew under another hub store", `
			ready power=OFF
			link
			cloud c7 nr=7 power=ON
			commit
			link store=hub-2
			dealt -> 0
			cloud c1 nr=1 power=OFF
			see power e=OFF w=c1
			dealt -> 1`},
		{"without a session nothing is taken", `
			ready power=OFF
			cloud c1 power=ON
			see power e=OFF
			outcome c1 -> no such wish`},
		{"a question for a wish that is unknown: superseded (hub restored), not carried out", `
			ready power=OFF
			link
			cloud c1 question power=ON
			outcome c1 -> superseded by hub restored: power
			see power e=OFF w=-`},
		{"a question for a wish that has ended: its outcome", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			echo power=ON#c1
			commit
			link store=hub-2
			cloud c1 nr=1 question power=ON
			commit
			told -> def:1 power=ON/cloud 1:c1:applied`},
		{"a question for a wish that is pending: its fate goes on", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			link store=hub-2
			cloud c1 nr=1 question power=ON
			outcome c1 -> pending
			see power w=c1`},
		{"the reason of a mapper's trouble is pending's, for standing wishes of the cloud too", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			echo power=?#c1
			outcome c1 -> pending, trouble: relay stuck`},
		{"the house takes a property of a wish of the cloud: superseded, told", `
			ready power=OFF
			link
			cloud c1 power=ON
			commit
			told -> def:1 power=ON/cloud
			ask w1 power=OFF
			commit
			told -> power=OFF/local 1:c1:superseded`},
	})
}

// Rule 2: 64 unanswered or unacknowledged wishes of the cloud per device; the house does not suffer from a hub that does
// not acknowledge (rule 11, LocalFirst).
func TestTooManyCloudWishes(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play(`
		ready power=OFF
		link`)
	for i := range twin.MaxWishes {
		r.play(fmt.Sprintf("cloud c%d power=OFF\noutcome c%d -> applied", i, i))
	}
	r.play(`
		cloud d1 power=ON
		outcome d1 -> refused: too many...
		ask w1 power=ON -> pending
		commit
		told -> ...
		ack
		cloud d2 power=OFF
		outcome d2 -> pending`)
}
