package twin_test

import "testing"

// Rule 8 and the owner of rule 5.
func TestPresence(t *testing.T) {
	runRows(t, []row{
		{"unknown at the start, with the last values shown", `
			ready power=ON
			commit
			restart
			presence -> unknown
			see power e=ON a=ON`},
		{"after 30 s without a word: offline", `
			ready power=ON
			commit
			restart
			wait 29999ms
			presence -> unknown
			wait 1ms
			presence -> offline offline`},
		{"a device whose mapper never sent a state stays unknown until it reports", `
			report power=ON
			presence -> online
			commit
			restart
			wait 24h
			presence -> unknown
			report power=ON
			presence -> online`},
		{"a report makes online", `
			state offline
			report power=ON
			presence -> online online`},
		{"ok makes online", `
			state ok
			presence -> online ok`},
		{"offline", `
			ready power=ON
			state offline
			presence -> offline offline`},
		{"disconnected", `
			ready power=ON
			state disconnected
			presence -> offline disconnected`},
		{"unhealthy stays online, with the text shown", `
			ready power=ON
			state unhealthy
			presence -> online unhealthy`},
		{"error stays online, with the text shown", `
			ready power=ON
			state error
			presence -> online error`},
		{"unknown", `
			ready power=ON
			state unknown
			presence -> unknown unknown`},
		{"either case", `
			ready power=ON
			state OFFLINE
			presence -> offline offline
			state Online
			presence -> online online`},
		{"another word is an error and changes nothing", `
			ready power=ON
			state asleep -> error: state: "asleep": expected online, ok, offline, disconnected, unhealthy, error or unknown
			presence -> online online`},
		{"a will or a broken connection of the owner: offline", `
			ready power=ON
			lost c1
			presence -> offline offline`},
		{"a clean disconnect releases without offline", `
			ready power=ON
			closed c1
			presence -> online online
			lost c1
			presence -> online online`},
		{"the connection that last sent something owns the device", `
			ready power=ON
			from c2
			report power=ON
			lost c1
			presence -> online online
			lost c2
			presence -> offline offline`},
		{"three missed cycles", `
			device cycle=5s
			ready power=ON
			report power=ON
			wait 14999ms
			presence -> online online
			wait 1ms
			presence -> offline offline`},
		{"three missed cycles are at least 10 s", `
			device cycle=100ms
			state online
			report power=ON
			wait 9999ms
			presence -> online online
			wait 1ms
			presence -> offline offline`},
		{"each report begins the cycles anew, equal or not", `
			device cycle=5s
			ready power=ON
			report power=ON
			wait 14s
			report power=ON
			wait 14s
			presence -> online online`},
		{"no cycle declared: silence means nothing", `
			ready power=ON
			wait 240h
			presence -> online online`},
		{"a state keeps a device with a cycle alive too", `
			device cycle=5s
			ready power=ON
			report power=ON
			wait 14s
			state ok
			wait 14s
			presence -> online ok`},
		{"nothing is removed because it is silent", `
			device cycle=5s
			ready power=ON
			wait 240h
			presence -> offline offline
			see power e=ON a=ON`},
	})
}

// Rule 5: what a report may carry.
func TestReport(t *testing.T) {
	runRows(t, []row{
		{"known properties are taken, unknown ones named", `
			ready power=OFF level=0
			report powr=ON level=5 lvl=1 -> lvl,powr
			see level a=5`},
		{"an equal report moves only lastSeen: no rev, no offer", `
			ready power=OFF
			report power=OFF
			revs 0
			offers 0`},
		{"a word that is none of the property's is refused, the others are taken", `
			ready power=OFF level=0
			report power=maybe level=5 -> error: power: "maybe": expected one of ON, OFF
			see power a=OFF
			see level a=5`},
		{"another type is refused", `
			ready level=0
			report level=warm -> error: level: "warm": expected a value of type int
			see level a=0`},
		{"a number outside the range for wishes may be what the device shows", `
			ready hue=0
			report hue=365.5
			see hue a=365.5`},
		{"nothing known at all: not a word of the device", `
			state offline
			report powr=ON -> powr
			presence -> offline offline`},
	})
}
