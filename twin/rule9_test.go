package twin_test

import "testing"

// Rule 9: a start; rule 1: what survives it.
func TestStart(t *testing.T) {
	runRows(t, []row{
		{"a standing wish is offered again with a new deadline", `
			ready power=OFF
			ask w1 power=ON
			wait 9s
			commit
			restart
			see power e=ON a=OFF w=w1 off=yes by=local
			offers 1
			wait 9999ms
			outcome w1 -> pending
			wait 1ms
			outcome w1 -> pending, trouble...`},
		{"a press found on disk has expired", `
			ready power=OFF
			ask p1 1h power=ON
			commit
			restart
			outcome p1 -> expired...
			see power e=OFF w=-
			offers 0`},
		{"its properties' expected is the first report, without restore", `
			ready power=OFF
			ask p1 1h power=ON
			commit
			restart
			report power=ON
			see power e=ON a=ON w=- by=restore
			offers 0`},
		{"also after a second restart", `
			ready power=OFF
			ask p1 1h power=ON
			commit
			restart
			restart
			report power=ON
			see power e=ON a=ON w=-`},
		{"but once only: the next difference is a restore or a hand", `
			ready power=OFF
			ask p1 1h power=ON
			commit
			restart
			state online
			commit
			report power=OFF
			commit
			restart
			report power=ON
			see power e=OFF a=ON w=restore`},
		{"it holds for each property of the press, shown or not", `
			ready power=OFF level=0
			ask p1 1h power=ON level=50
			echo power=ON#p1
			commit
			restart
			outcome p1 -> expired...
			report power=OFF level=50
			see power e=OFF a=OFF w=-
			see level e=50 a=50 w=-`},
		{"but not for one that the house wished anew since", `
			ready power=OFF level=0
			ask p1 1h power=ON level=50
			ask w1 power=OFF
			commit
			restart
			see power e=OFF w=w1
			report power=ON
			see power e=OFF w=w1`},
		{"a wish between start and first report stands", `
			ready power=OFF
			ask p1 1h power=ON
			commit
			restart
			ask w1 power=OFF -> pending
			report power=ON
			see power e=OFF a=ON w=w1`},
		{"what was not committed is as if it had not been", `
			ready power=OFF
			ask w1 power=ON
			restart
			outcome w1 -> no such wish
			see power e=OFF w=-`},
		{"an ended wish is still readable", `
			ready power=OFF
			ask w1 power=ON
			report power=ON
			commit
			restart
			outcome w1 -> applied
			see power e=ON a=ON`},
		{"a wish that lost a property does not win it back", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			ask w2 power=OFF
			commit
			restart
			see power e=OFF w=w2
			see level e=50 w=w1
			wait 2s
			report power=OFF level=50
			outcome w1 -> superseded by w2: power
			outcome w2 -> applied`},
		{"a property once shown stays shown", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			echo power=ON#w1
			commit
			restart
			see power e=ON w=-
			see level e=50 w=w1`},
		{"a restore under way begins again with the first report", `
			ready power=ON
			state offline
			state online
			report power=OFF
			see power w=restore
			commit
			restart
			see power e=ON w=-
			report power=OFF
			see power e=ON w=restore`},
	})
}

// Rule 1: the house does not wait for its disk.
func TestDiskFailing(t *testing.T) {
	runRows(t, []row{
		{"the house goes on in memory", `
			ready power=OFF
			ask w1 power=ON -> pending
			fail
			offers 1
			echo power=ON#w1
			fail
			outcome w1 -> applied
			see power e=ON a=ON w=-`},
		{"it tells no decision, and tells it once the disk works again", `
			ready power=OFF
			link
			commit
			told -> def:1 power=OFF/restore
			ask w1 power=ON
			told ->
			fail
			told ->
			commit
			told -> power=ON/local`},
		{"a wish of the cloud is not offered to the mapper before it is on disk", `
			ready power=OFF
			link
			commit
			look
			cloud c1 power=ON
			outcome c1 -> pending
			see power e=ON w=c1 off=no
			offers 0
			fail
			offers 0
			subscribe
			see power off=no
			commit
			see power off=yes
			offers 1`},
		{"a rev is shown by no view before it is on disk", `
			ready power=OFF
			ask w1 power=ON
			ask w2 guard=power:now power=OFF -> precondition
			commit
			ask w2 guard=power:now power=OFF -> pending`},
		{"what was decided while a batch was under way comes in the next", `
			ready power=OFF level=0
			link
			commit
			told -> def:1 power=OFF/restore level=0/restore
			ask w1 power=ON
			take
			ask w2 level=50
			done
			told -> power=ON/local
			commit
			told -> level=50/local`},
		{"nothing above a decision that was overwritten untold is told before its successor", `
			ready power=OFF level=0
			link
			commit
			told -> def:1 power=OFF/restore level=0/restore
			ask w1 power=ON
			take
			ask w2 power=OFF
			done
			told ->
			commit
			told -> power=OFF/local`},
		{"a crash before the commit brings back what was, and the hub hears of it", `
			ready power=OFF level=0
			link
			commit
			told -> def:1 power=OFF/restore level=0/restore
			ask w1 power=ON
			take
			ask w2 power=OFF
			done
			told ->
			restart
			see power e=ON w=w1
			link
			told -> power=ON/local`},
	})
}
