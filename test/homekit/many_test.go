package homekit

import (
	"fmt"
	"time"

	"twinbridge/test/world"
)

// many are the scenes of as many lamps as a bridge may have.
var many = []scene{
	{"discover", true, (*story).discover},
	{"pair", true, (*story).pair},
	{"add a second one", true, (*story).addSecond},
	{"149 lamps", true, (*story).allThere},
	{"one write, one event", false, (*story).allAtOnce},
	{"database while events come", false, (*story).readWhileChanging},
}

func (s *story) allThere() {
	for i := range 149 {
		s.lamp(i + 1)
	}
	if len(s.lamps) != 149 {
		s.Errorf("%d lamps", len(s.lamps))
	}
}

// allAtOnce: what changed together is told together.
func (s *story) allAtOnce() {
	ctx := s.Context()
	var ids []id
	for i := range 149 {
		ids = append(ids, s.lamp(i+1).on)
	}
	for _, pair := range [][2]*controller{{s.first, s.second}, {s.second, s.first}} {
		writer, listener := pair[0], pair[1]
		s.must(listener.again(ctx, listener.addresses(), false))
		s.database(listener)
		_, err := listener.subscribe(ctx, ids...)
		s.must(err)
		v := !s.see(149).On
		var writes []write
		for _, i := range ids {
			writes = append(writes, set(i, v))
		}
		mark := listener.mark()
		began := time.Now()
		s.put(writer, writes...)
		told := map[id]bool{}
		_, err = listener.hear(ctx, mark, fmt.Sprintf("149 changes at %s", listener.kind), func(n notice) bool {
			for _, e := range n.event {
				if isTrue(e.Value) == v {
					told[id{e.AID, e.IID}] = true
				}
			}
			return len(told) == len(ids)
		})
		if err != nil {
			s.Fatalf("%v: %d of 149", err, len(told))
		}
		messages := len(listener.since(mark))
		s.Logf("%s to %s: %d messages within %v", writer.kind, listener.kind, messages, time.Since(began).Round(time.Millisecond))
		if messages != 1 {
			s.Errorf("%s was told in %d messages, want 1", listener.kind, messages)
		}
		for i := range 149 {
			s.shows(i+1, v)
		}
	}
}

// readWhileChanging: an event is never inside an answer. With aiohomekit both are on one connection.
func (s *story) readWhileChanging() {
	if why := s.acc.Differs("database while events come"); why != "" {
		s.Log("left out: " + why)
		return
	}
	ctx := s.Context()
	s.must(s.second.again(ctx, s.second.addresses(), false))
	s.database(s.second)
	_, err := s.second.subscribe(ctx, s.lamp(1).on)
	s.must(err)
	mark := s.second.mark()
	for i := range 40 {
		s.must(s.acc.Set(ctx, 1, i%2 == 0))
		s.database(s.second)
	}
	world.Eventually(s.T, patient, func() (bool, string) {
		n := events(s.second, mark, s.lamp(1).on)
		return n > 0, fmt.Sprintf("%d events", n)
	})
	for _, n := range s.second.since(mark) {
		if n.gone {
			s.Error("the connection was lost")
		}
	}
}
