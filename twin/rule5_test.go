package twin_test

import "testing"

// Rule 5, offering.
func TestOffering(t *testing.T) {
	runRows(t, []row{
		{"again at each unequal report while a wish is pending", `
			ready power=OFF
			ask w1 power=ON
			offers 1
			wait 1s
			report power=OFF
			offers 1
			wait 1s
			report power=OFF
			offers 1`},
		{"also while a restore is pending", `
			ready power=OFF
			state offline
			state online
			report power=ON
			offers 1
			wait 1s
			report power=ON
			offers 1`},
		{"with back-off while in trouble", `
			ready power=OFF
			ask w1 power=ON
			wait 10s
			offers 1
			report power=OFF
			report power=OFF
			offers 0
			wait 1s
			offers 1`},
		{"an unequal report of another property offers nothing", `
			ready power=OFF level=0
			ask w1 power=ON
			offers 1
			wait 1s
			report level=5
			offers 0`},
		{"when the device comes online", `
			ready power=OFF
			state offline
			ask w1 power=ON
			offers 1
			wait 1m
			offers 0
			state online
			offers 1`},
		{"when somebody subscribes to the delta or asks for the twin", `
			ready power=OFF
			ask w1 power=ON
			offers 1
			subscribe
			offers 1`},
		{"nothing pending: nothing to offer", `
			ready power=OFF
			subscribe
			offers 0
			state offline
			state online
			offers 0`},
		{"a property once shown is not offered again because another is in trouble", `
			ready power=OFF level=0
			ask w1 power=ON level=50
			echo power=ON#w1 level=?#w1
			see power w=- off=no
			see level w=w1 t=yes off=yes`},
		{"offering does not depend on presence", `
			ask w1 power=ON -> pending
			presence -> unknown
			offers 1
			state offline
			ask w2 power=OFF
			offers 1`},
		{"not when expected follows the device", `
			ready power=OFF
			look
			report power=ON
			wait 1s
			see power e=ON by=device
			offers 0`},
	})
}

// Rule 5, applied.
func TestApplied(t *testing.T) {
	runRows(t, []row{
		{"with echo: a report that carries the id and shows the values", `
			ready power=OFF
			ask w1 power=ON
			echo power=ON#w1
			outcome w1 -> applied
			see power e=ON a=ON w=-`},
		{"with echo: an equal report without the id does not count", `
			ready power=OFF
			ask w1 power=ON
			echo power=ON
			outcome w1 -> pending
			see power a=ON w=w1`},
		{"with echo: an equal report with another id does not count", `
			ready power=OFF
			ask w1 power=ON
			echo power=ON#w0
			outcome w1 -> pending`},
		{"with echo: the id with another value does not count", `
			ready power=OFF
			ask w1 power=ON
			echo power=OFF#w1
			outcome w1 -> pending`},
		{"with echo: not at the deadline either", `
			ready power=OFF
			ask w1 power=ON
			echo power=ON
			wait 10s
			outcome w1 -> pending, trouble...`},
		{"without echo: an equal report after the first offer", `
			ready power=OFF
			ask w1 power=ON
			report power=ON
			outcome w1 -> applied`},
		{"without echo: equal within the tolerance", `
			ready hue=10
			ask w1 hue=100
			report hue=98.5
			outcome w1 -> applied
			see hue e=100 a=98.5`},
		{"without echo: an equal report may be stale where another wish was offered less than the settle time before", `
			ready power=OFF
			ask w1 power=ON
			wait 999ms
			ask w2 power=OFF
			report power=OFF
			outcome w2 -> pending
			wait 999ms
			report power=OFF
			outcome w2 -> pending
			wait 1ms
			report power=OFF
			outcome w2 -> applied`},
		{"without echo: not stale where the other offer was earlier than that", `
			ready power=OFF
			ask w1 power=ON
			wait 1s
			ask w2 power=OFF
			report power=OFF
			outcome w2 -> applied`},
		{"an offer of other properties makes nothing stale", `
			ready power=OFF level=0
			ask w1 level=5
			ask w2 power=ON
			report power=ON
			outcome w2 -> applied`},
		{"without echo: the mapper started less than the settle time before", `
			ready power=OFF
			state offline
			wait 1m
			state online
			report power=OFF
			ask w1 power=ON
			report power=ON
			outcome w1 -> pending
			wait 1s
			report power=ON
			outcome w1 -> applied`},
		{"without echo: the node started less than the settle time before", `
			ready power=OFF
			ask w1 power=ON
			commit
			restart
			report power=ON
			outcome w1 -> pending
			wait 1s
			report power=ON
			outcome w1 -> applied`},
		{"the device's own settle time", `
			device settle=3s
			ready power=OFF
			ask w1 power=ON
			wait 2s
			ask w2 power=OFF
			report power=OFF
			outcome w2 -> pending
			wait 3s
			report power=OFF
			outcome w2 -> applied`},
		{"without echo: at the apply deadline an online device whose actual equals the wish counts", `
			ready power=OFF
			ask w1 power=ON
			wait 500ms
			ask w2 power=OFF
			report power=OFF
			outcome w2 -> pending
			wait 10s
			outcome w2 -> applied
			see power e=OFF a=OFF w=-`},
		{"but not an unknown one", `
			ready power=OFF
			state unknown
			ask w1 power=OFF
			wait 10s
			outcome w1 -> pending, trouble...`},
		{"read-only properties are only reported", `
			ready temp=20
			report temp=21
			see temp a=21 e=- w=-
			wait 1m
			see temp a=21 e=- w=-`},
	})
}
