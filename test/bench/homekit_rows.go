package main

import (
	"fmt"
	"time"
)

// hapRow is a line of HomeKit's table: what it takes of the figures, with our targets; nothing if that was not measured.
type hapRow struct {
	figure string
	of     func(*hapFigures) []measure
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mib(bytes float64) float64 { return bytes / (1 << 20) }

// given leaves out what was not measured.
func given(ok bool, m ...measure) []measure {
	if !ok {
		return nil
	}
	return m
}

func hapRows() []hapRow {
	var rows []hapRow
	add := func(of func(*hapFigures) []measure, figure string, args ...any) {
		rows = append(rows, hapRow{fmt.Sprintf(figure, args...), of})
	}
	for _, n := range []int{fewLamps, fullBridge} {
		full := n == fullBridge
		load := func(f *hapFigures) *hapLoad {
			if full {
				return &f.full
			}
			return &f.few
		}
		aim := func(target float64) float64 { // targets are those of a full bridge
			if full {
				return target
			}
			return 0
		}
		add(func(f *hapFigures) []measure {
			l := load(f)
			return given(len(l.read) > 0, within(millis(l.read.p(50)), "ms", aim(0.8)), plain(millis(l.read.p(99)), "ms"), plain(float64(l.readBytes)/1000, "kB"))
		}, "%d lamps: GET /accessories p50 / p99 / size of the body", n)
		add(func(f *hapFigures) []measure {
			l := load(f)
			return given(len(l.read) > 0, within(millis(l.readCPU), "ms", aim(0.3)))
		}, "%d lamps: server's processor time per GET", n)
		add(func(f *hapFigures) []measure {
			l := load(f)
			return given(len(l.put) > 0, within(millis(l.put.p(50)), "ms", aim(0.09)), within(millis(l.put.p(99)), "ms", aim(0.3)))
		}, "%d lamps: one PUT p50 / p99", n)
		add(func(f *hapFigures) []measure {
			l := load(f)
			return given(l.rateMany > 0, atLeast(l.rate, "/s", aim(11000)), atLeast(l.rateMany, "/s", aim(35000)))
		}, "%d lamps: PUTs per second on 1 / %d connections", n, hapMany)
		add(func(f *hapFigures) []measure {
			l := load(f)
			return given(len(l.put) > 0, within(micros(l.putCPU), "µs", aim(45)))
		}, "%d lamps: server's processor time per PUT", n)
	}
	add(func(f *hapFigures) []measure {
		return given(len(f.events) > 0, within(millis(f.events.p(50)), "ms", 1))
	}, "PUT -> event at a second controller, the first after silence, p50")
	add(func(f *hapFigures) []measure {
		return given(len(f.burst.last) > 0, within(f.burst.middle(), "", 1), within(millis(f.burst.last.p(50)), "ms", 3))
	}, "one PUT of %d lamps -> events: messages / the last one after, p50", fullBridge)
	add(func(f *hapFigures) []measure {
		return given(len(f.setup) > 0, within(millis(f.setup.p(50)), "ms", 13))
	}, "pair-setup p50, the controller's share included")
	add(func(f *hapFigures) []measure {
		return given(len(f.verify) > 0, within(millis(f.verify.p(50)), "ms", 0.7))
	}, "pair-verify p50, the controller's share included")
	add(func(f *hapFigures) []measure {
		return given(f.firsts.tried > 0, exactly(f.firsts.failures, "", 0), plain(float64(f.firsts.tried), "tried"))
	}, "%d first requests straight behind pair-verify: failures, at most %d / of", hapFirsts, hapEnough)
	add(func(f *hapFigures) []measure {
		return given(f.reads.tried > 0, exactly(f.reads.failures, "", 0), plain(float64(f.reads.tried), "tried"), plain(float64(f.among), "events"))
	}, "%d reads of the database, a lamp switched every 100 ms: failures, at most 1 / of / events among them", hapReadsWith)
	add(func(f *hapFigures) []measure {
		return given(len(f.actual) > 0, within(millis(f.actual.p(50)), "ms", 1.5), within(millis(f.actual.p(99)), "ms", 10))
	}, "PUT -> the lamp is switched (simulated driver, over MQTT), p50 / p99")
	add(func(f *hapFigures) []measure {
		return given(len(f.durable) > 0, within(millis(f.durable.p(50)), "ms", millis(f.commit)+0.3), plain(millis(f.commit), "ms"))
	}, "PUT -> durable on disk, as a reader of the device is told, p50 / one commit of the store meanwhile, mean")
	add(func(f *hapFigures) []measure {
		return given(f.idle > 0 && f.after > 0, within(mib(f.idle), "MiB", 32), within(mib(f.after), "MiB", 32))
	}, "resident memory, %d lamps, %d controllers subscribed: before / after all this", fullBridge, hapMany)
	add(func(f *hapFigures) []measure {
		if len(f.alone) == 0 || len(f.hostile) == 0 {
			return nil
		}
		return []measure{
			within(float64(f.hostile.p(99))/float64(f.alone.p(99)), "times", 2), plain(millis(f.alone.p(99)), "ms"), plain(millis(f.hostile.p(99)), "ms"),
		}
	}, "set through the socket -> applied while strangers are at the bridge: p99 as a multiple / alone / meanwhile")
	add(func(f *hapFigures) []measure {
		return given(len(f.tcp) > 0, within(millis(f.tcp.p(50)), "ms", 60))
	}, "start of the process -> TCP answers, p50")
	add(func(f *hapFigures) []measure {
		return given(len(f.announced) > 0, within(millis(f.announced.p(95)), "ms", 1100))
	}, "start of the process -> announced by mDNS, p95")
	return rows
}
