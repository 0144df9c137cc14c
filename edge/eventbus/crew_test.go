package eventbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// paper is a broker that notes what is published.
type paper struct {
	mu   sync.Mutex
	away bool
	said []parcel
	at   []time.Time
}

func (p *paper) publish(name string, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said, p.at = append(p.said, parcel{name, payload}), append(p.at, time.Now())
}

func (p *paper) wanted(string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.away
}

func (p *paper) pause(context.Context) {}

func (p *paper) leave(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

// times gives when something was said on a topic, since start, and forgets it.
func (p *paper) times(name string, start time.Time) (list []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.said {
		if p.said[i].topic == name {
			list = append(list, p.at[i].Sub(start))
		}
	}
	p.said, p.at = nil, nil
	return list
}

func (p *paper) last(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Backward(p.said) {
		if m.topic == name {
			return string(m.payload)
		}
	}
	return ""
}

// newBlind makes, within a bubble, a node at a broker that shows nobody.
func newBlind(t *testing.T, names ...string) (*house, *paper) {
	h, out := newNode(t, names...), &paper{}
	h.proto = newProtocol(h.store, out, &counters{}, slog.New(slog.DiscardHandler))
	h.proto.crew = newCrew()
	h.run(func(ctx context.Context) error {
		var wg sync.WaitGroup
		wg.Go(func() { h.proto.mend(ctx) })
		h.proto.run(ctx)
		wg.Wait()
		return nil
	})
	synctest.Wait()
	h.proto.connected()
	synctest.Wait()
	return h, out
}

func (h *house) hear(name, payload string) {
	h.proto.handle(h.t.Context(), &peer{}, name, []byte(payload))
	synctest.Wait()
}

const (
	lampState = two + "/state/update"
	lampDelta = two + "/twin/update/delta"
)

func named1(mapper, prop, value, wish string) string {
	m := topic.Update{EventID: "r", Mapper: mapper, Twins: []topic.Twin{{Name: prop, Actual: topic.Value{Set: true, Text: value, Wish: wish, HasWish: true}}}}
	return string(m.Encode())
}

// TestDeltaIsRepeated: who listens may have come a moment ago and shows itself to nobody, so what is pending is said again
// after 1, 2, 4 ... 60 s, whatever the device's presence is; a new wish begins anew, and what is shown ends it.
func TestDeltaIsRepeated(t *testing.T) {
	for _, state := range []string{"", "offline", "unknown"} {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, out := newBlind(t, "lamp")
				defer h.stop()
				h.annotate("lamp", map[string]string{"settle": "0s", "apply-deadline": "1h"}) // no repetitions of the twin's own
				if state != "" {
					h.hear(lampState, `{"state":"online"}`)
					h.hear(lampState, `{"state":"`+state+`"}`)
				}
				out.times("", time.Time{})
				start := time.Now()
				h.wish("lamp", "powerstatus", twin.StringValue("ON"))
				time.Sleep(4 * time.Minute)
				synctest.Wait()
				got := out.times(lampDelta, start)
				want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183}
				if len(got) != len(want) {
					t.Fatalf("deltas after %v, want after about %v s", got, want)
				}
				for i := range got {
					if d := got[i] - want[i]*time.Second; d < 0 || d > 2*mendCycle+time.Duration(i)*mendCycle {
						t.Errorf("delta %d after %v, want about %d s", i, got[i], want[i])
					}
				}
				start = time.Now()
				h.wish("lamp", "powerstatus", twin.StringValue("OFF"))
				time.Sleep(5 * time.Second)
				if got := out.times(lampDelta, start); len(got) < 3 || got[1] > 2*time.Second {
					t.Errorf("after another wish deltas came after %v", got)
				}
				h.hear(two+"/twin/update", report("r", "powerstatus", "OFF"))
				out.times("", start)
				time.Sleep(3 * time.Minute)
				if got := out.times(lampDelta, start); len(got) != 0 {
					t.Errorf("what was shown was repeated after %v", got)
				}
				if n := len(h.proto.crew.repeats); n != 0 {
					t.Errorf("%d devices are remembered", n)
				}
			})
		})
	}
}

// TestNothingIsRepeatedToNobody: without a connection nothing is said; with the next one everything is.
func TestNothingIsRepeatedToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, out := newBlind(t, "lamp", "fan")
		defer h.stop()
		out.leave(true)
		before := h.offers("lamp")
		h.wish("lamp", "powerstatus", twin.StringValue("ON"))
		if err := h.store.Delete(twin.Name{Namespace: "default", Name: "fan"}); err != nil {
			t.Fatal(err)
		}
		out.times("", time.Time{})
		time.Sleep(2 * time.Second)
		if got := h.offers("lamp"); got != before+1 {
			t.Errorf("offered %d times while nobody could hear it", got-before)
		}
		out.leave(false)
		start := time.Now()
		h.proto.connected()
		synctest.Wait()
		members := out.last("$hw/events/node/edge1/membership/updated")
		if !strings.Contains(members, `"default/lamp"`) || strings.Contains(members, "fan") {
			t.Errorf("devices: %s", members)
		}
		said := out.said[0]
		if !strings.Contains(string(said.payload), `"removed_devices":[{"id":"default/fan"`) {
			t.Errorf("the device that was deleted meanwhile is not told of first: %s %s", said.topic, said.payload)
		}
		if doc := out.last(two + "/twin/update/document"); !strings.Contains(doc, `"last":null,"current":{"expected":{"value":"ON"`) {
			t.Errorf("document: %s", doc)
		}
		if got := out.times(lampDelta, start); len(got) == 0 {
			t.Error("the pending wish was not offered")
		}
	})
}

// TestMapperByName: a mapper owns what it spoke of last; its will takes these devices offline, and no other's.
func TestMapperByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newBlind(t, "lamp", "fan", "other")
		defer h.stop()
		dev := func(name, what string) string { return "$hw/events/device/" + name + what }
		h.hear(dev("lamp", "/twin/update"), named1("m1", "powerstatus", "ON", ""))
		h.hear(dev("fan", "/state/update"), `{"state":"online","metadata":{"mapper":"m2"}}`)
		h.hear(dev("other", "/twin/update"), report("r", "powerstatus", "ON")) // nobody's
		check := func(when string, lamp, fan, other twin.Presence) {
			t.Helper()
			if a, b, c := h.presence("lamp"), h.presence("fan"), h.presence("other"); a != lamp || b != fan || c != other {
				t.Errorf("%s: lamp %s, fan %s, other %s; want %s, %s, %s", when, a, b, c, lamp, fan, other)
			}
		}
		check("at first", twin.Online, twin.Online, twin.Online)
		h.hear(topic.Lost("m3").String(), "lost")
		h.hear(topic.Lost("").String(), "lost")
		check("after the will of somebody else", twin.Online, twin.Online, twin.Online)
		h.hear(topic.Lost("m1").String(), "lost")
		check("after the will of m1", twin.Offline, twin.Online, twin.Online)
		h.hear(dev("fan", "/twin/update"), report("r", "powerstatus", "ON")) // somebody else spoke of it last
		h.hear(topic.Lost("m2").String(), "lost")
		check("after the will of m2", twin.Offline, twin.Online, twin.Online)
	})
}

// TestMapperFellSilent: a will that was published while the node was away is made good by silence after it came back.
func TestMapperFellSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, out := newBlind(t, "lamp", "fan")
		defer h.stop()
		h.hear(two+"/twin/update", named1("m1", "powerstatus", "ON", ""))
		h.hear("$hw/events/device/fan/twin/update", named1("m2", "powerstatus", "ON", ""))
		out.leave(true)
		time.Sleep(time.Hour) // the node's own silence says nothing of the devices
		out.leave(false)
		h.proto.connected()
		time.Sleep(returnTime / 2)
		h.hear("$hw/events/device/fan/twin/update", named1("m2", "powerstatus", "ON", ""))
		if p := h.presence("lamp"); p != twin.Online {
			t.Errorf("before its time the lamp is %s", p)
		}
		time.Sleep(returnTime/2 + 2*mendCycle)
		if a, b := h.presence("lamp"), h.presence("fan"); a != twin.Offline || b != twin.Online {
			t.Errorf("lamp %s, fan %s; want offline and online", a, b)
		}
	})
}

// TestCrewIsBounded: names that come once do not stay for ever.
func TestCrewIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newBlind(t, "lamp")
		defer h.stop()
		h.hear(lampState, `{"state":"online","metadata":{"mapper":"first"}}`)
		for i := range 2 * maxCrew {
			time.Sleep(time.Millisecond)
			h.hear(lampState, fmt.Sprintf(`{"state":"online","metadata":{"mapper":"m%d"}}`, i))
		}
		if n := len(h.proto.crew.mates); n != maxCrew {
			t.Errorf("%d mappers are known, want %d", n, maxCrew)
		}
		h.hear(topic.Lost(fmt.Sprintf("m%d", 2*maxCrew-1)).String(), "lost")
		if p := h.presence("lamp"); p != twin.Offline {
			t.Errorf("after the will of the last mapper the lamp is %s", p)
		}
	})
}

// TestBothSidesAreAReport: nobody knows who owns the device, so expected beside actual is what a mapper was told.
func TestBothSidesAreAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newBlind(t, "lamp")
		defer h.stop()
		h.hear(two+"/twin/update", report("r", "powerstatus", "OFF"))
		h.hear(two+"/twin/update", `{"event_id":"b","twin":{"powerstatus":{"expected":{"value":"ON"},"actual":{"value":"OFF"}}}}`)
		if p := h.prop("lamp", "powerstatus"); p.Expected != twin.StringValue("OFF") || p.Wish != "" {
			t.Errorf("the twin is %+v", p)
		}
	})
}

// TestOthersDevices: at a broker for many, another node answers for its own.
func TestOthersDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, out := newBlind(t, "lamp")
		defer h.stop()
		out.times("", time.Time{})
		for _, what := range []string{"/twin/update", "/twin/get", "/state/update"} {
			h.hear("$hw/events/device/elsewhere"+what, `{"event_id":"e","state":"online","twin":{"p":{"actual":{"value":"1"}}}}`)
		}
		if len(out.said) != 0 {
			t.Errorf("said: %+v", out.said)
		}
		h.hear(two+"/twin/update", `{"event_id":"e"`)
		if got := out.last(two + "/twin/update/result"); !strings.Contains(got, `"code":400`) {
			t.Errorf("a broken message about an own device was answered by %q", got)
		}
	})
}

// TestSlowDisk: where all come over one connection, a disk that does not answer holds nobody up.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, out := newBlind(t, "lamp")
		defer h.stop()
		release := h.disk.stall()
		defer release()
		for i := range maxAnswers + 3 {
			h.hear(two+"/twin/update", wished(fmt.Sprintf("w%d", i), "powerstatus", []string{"ON", "OFF"}[i%2]))
		}
		got := out.last(two + "/twin/update/result")
		if !strings.Contains(got, `"code":500`) || !strings.Contains(got, "may be forgotten") {
			t.Errorf("the wish beyond the bound was answered by %q", got)
		}
		if p := h.prop("lamp", "powerstatus"); p.Wish == "" {
			t.Errorf("it does not work: %+v", p)
		}
	})
}

func TestExternalRefused(t *testing.T) {
	h := newNode(t)
	for _, broker := range []string{"", "localhost", "localhost:1883", "tcp://localhost", "tcp://:1883", "http://localhost:80", "ws://localhost:80", "tcp://%zz:1", "tcp://user:secret@localhost:1883"} {
		_, err := NewExternal(ExternalConfig{Broker: broker}, h.store, testLog(t))
		var fe *twin.FieldError
		if !errors.As(err, &fe) || fe.Field != "broker" || contains(err.Error(), "secret") {
			t.Errorf("%q: %v", broker, err)
		}
	}
}

func TestEdgeID(t *testing.T) {
	for node, want := range map[string]string{"cellar": "tb-cellar-", "a very/long näme indeed": "tb-averylongnme-", "ü": "tb--", "": "tb--"} {
		got := edgeID(node)
		if !strings.HasPrefix(got, want[:min(len(want), 15)]) || len(got) > 23 {
			t.Errorf("%q: %s, want %s... of at most 23 bytes", node, got, want)
		}
	}
	if one, other := edgeID("n"), edgeID("n"); one == other {
		t.Error("two processes have one id")
	}
}
