package twin_test

import "testing"

// Rule 2: no-ops.
func TestNoOp(t *testing.T) {
	runRows(t, []row{
		{"expected and actual equal: applied at once, nothing sent", `
			ready power=OFF
			link
			ask w1 power=OFF -> applied
			see power w=-
			offers 0`},
		{"a house no-op takes no rev while a session with the hub is up", `
			ready power=OFF
			link
			look
			ask w1 power=OFF -> applied
			revs 0
			ask w2 power=OFF -> applied
			revs 0`},
		{"without a session the first after each told decision takes one, later ones none", `
			ready power=OFF
			ask w1 power=OFF -> applied
			revs 1
			ask w2 power=OFF -> applied
			revs 0
			commit
			link
			told -> def:1 power=OFF/restore
			look
			ask w3 power=OFF -> applied
			revs 0
			unlink
			ask w4 power=OFF -> applied
			revs 1
			ask w5 power=OFF -> applied
			revs 0`},
		{"that rev is an act: a waited wish does not undo it", `
			ready power=OFF
			link
			told -> def:1 power=OFF/restore
			unlink
			ask w1 power=OFF -> applied
			commit
			link
			cloud c1 waited seen=2 power=ON
			outcome c1 -> superseded by house: power
			see power e=OFF w=-`},
		{"not while expected differs", `
			ready power=OFF
			state offline
			ask w1 power=ON -> pending
			ask w2 power=ON -> pending
			outcome w1 -> superseded by w2: power`},
		{"not while actual differs (an unmarked hand, not yet settled)", `
			ready power=OFF
			report power=ON
			ask w1 power=OFF -> pending
			offers 1`},
		{"not while actual differs and nobody has noticed yet (online again, no report yet)", `
			ready power=OFF
			report power=ON
			state offline
			state online
			see power e=OFF a=ON w=-
			ask w1 power=OFF -> pending
			offers 1`},
		{"not while something is pending", `
			ready power=OFF
			ask w1 power=ON
			report power=OFF
			ask w2 power=ON -> pending`},
		{"not while it is being restored", `
			ready power=OFF
			state offline
			state online
			report power=ON
			see power e=OFF a=ON w=restore
			ask w1 power=OFF -> pending
			see power w=w1`},
		{"not while the device is offline", `
			ready power=OFF
			state offline
			ask w1 power=OFF -> pending
			offers 1`},
		{"not while the device is unknown", `
			ready power=OFF
			state unknown
			ask w1 power=OFF -> pending`},
		{"not if only one of two properties is so", `
			ready power=OFF level=0
			ask w1 power=OFF level=5 -> pending
			see power w=w1
			see level w=w1`},
		{"equal within the tolerance is equal", `
			ready hue=100
			link
			ask w1 hue=101.5 -> applied
			ask w2 hue=103 -> pending`},
	})
}

// Rule 2: standing wishes and presses in trouble, at their deadline, at their end.
func TestTroubleAndDeadlines(t *testing.T) {
	runRows(t, []row{
		{"standing: an error of the mapper is trouble, still pending, expected stands", `
			ready power=OFF
			ask w1 power=ON
			echo power=?#w1
			outcome w1 -> pending, trouble: relay stuck
			see power e=ON w=w1 t=yes`},
		{"press: an error of the mapper ends it failed, expected goes back to actual", `
			ready power=OFF
			ask p1 30s power=ON
			echo power=?#p1
			outcome p1 -> failed: relay stuck
			see power e=OFF by=restore`},
		{"an error that names another wish is not about this one", `
			ready power=OFF
			ask w1 power=ON
			echo power=?#w0
			outcome w1 -> pending`},
		{"an error without echo is about what is pending", `
			ready power=OFF
			ask w1 power=ON
			report power=?
			outcome w1 -> pending, trouble: relay stuck`},
		{"the apply deadline is 10 s from the offer", `
			ready power=OFF
			ask w1 power=ON
			wait 9999ms
			outcome w1 -> pending
			wait 1ms
			outcome w1 -> pending, trouble: the device has not shown it within 10s`},
		{"the device's own apply deadline", `
			device apply-deadline=3s
			ready power=OFF
			ask w1 power=ON
			wait 2999ms
			outcome w1 -> pending
			wait 1ms
			outcome w1 -> pending, trouble: the device has not shown it within 3s`},
		{"a press fails at the apply deadline", `
			ready power=OFF
			ask p1 30s power=ON
			wait 10s
			outcome p1 -> failed: the device has not shown it within 10s
			see power e=OFF`},
		{"the apply deadline pauses while offline", `
			ready power=OFF
			ask w1 power=ON
			wait 4s
			state offline
			wait 1h
			outcome w1 -> pending
			state online
			wait 5999ms
			outcome w1 -> pending
			wait 1ms
			outcome w1 -> pending, trouble: the device has not shown it within 10s`},
		{"it has not begun where the first offer met an offline device", `
			ready power=OFF
			state offline
			ask w1 power=ON
			wait 1h
			outcome w1 -> pending
			state online
			wait 9999ms
			outcome w1 -> pending
			wait 1ms
			outcome w1 -> pending, trouble: the device has not shown it within 10s`},
		{"a device that said unknown and comes back has its deadline again", `
			ready power=OFF
			ask w1 power=ON
			wait 4s
			state unknown
			state online
			wait 10s
			outcome w1 -> pending, trouble: the device has not shown it within 10s`},
		{"trouble is retried with back-off, doubling up to 60 s", `
			ready power=OFF
			ask w1 power=ON
			wait 10s
			offers 1
			wait 1s
			offers 1
			wait 1999ms
			offers 0
			wait 1ms
			offers 1
			wait 4s
			offers 1
			wait 8s
			offers 1
			wait 16s
			offers 1
			wait 32s
			offers 1
			wait 60s
			offers 1
			wait 600s
			offers 10`},
		{"trouble passes when the device shows it", `
			ready power=OFF
			ask w1 power=ON
			wait 30s
			report power=ON
			outcome w1 -> applied
			see power e=ON a=ON w=- t=-
			wait 10m
			see power e=ON w=-`},
		{"a standing wish never fails for good", `
			ready power=OFF
			ask w1 power=ON
			wait 24h
			see power e=ON w=w1 t=yes`},
		{"a press ends expired when validFor is over", `
			ready power=OFF
			ask p1 5s power=ON
			wait 4999ms
			outcome p1 -> pending
			wait 1ms
			outcome p1 -> expired...
			see power e=OFF a=OFF by=restore`},
		{"validFor runs on while offline", `
			ready power=OFF
			ask p1 30s power=ON
			wait 2s
			state offline
			wait 28s
			outcome p1 -> expired...
			see power e=OFF`},
		{"going back where nothing was ever reported: absent", `
			ask p1 5s power=ON
			wait 5s
			see power e=- a=- w=-`},
		{"going back is nobody's act", `
			ready power=OFF
			ask p1 5s power=ON
			commit
			mark power
			wait 5s
			see power e=OFF
			commit
			link
			cloud c1 waited seen=mark power=ON
			outcome c1 -> pending`},
		{"once applied a press stands like any other", `
			ready power=OFF
			ask p1 5s power=ON
			report power=ON
			outcome p1 -> applied
			wait 1h
			see power e=ON a=ON w=-`},
	})
}
