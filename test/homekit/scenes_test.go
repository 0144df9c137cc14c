package homekit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"twinbridge/test/world"
)

// kTLVError_..., HAP table 5-5.
const (
	errorAuthentication = 2
	errorUnavailable    = 6
)

// Status codes, HAP table 6-11.
const (
	readOnly     = -70404
	writeOnly    = -70405
	noResource   = -70409
	invalidValue = -70410
)

// TestTwinbridge tells the story to the real thing.
func TestTwinbridge(t *testing.T) { told(t, newTwinbridge) }

// TestHAPNodeJS tells it to a bridge that others wrote: what is asked for here is what a good accessory gives.
func TestHAPNodeJS(t *testing.T) { told(t, newHAPNodeJS) }

func told(t *testing.T, make maker) {
	for _, kinds := range [][2]string{{hapController, aiohomekit}, {aiohomekit, hapController}} {
		t.Run(kinds[0], func(t *testing.T) {
			t.Parallel() // each story waits most of its time, on a network of its own
			newStory(t, make, 2, kinds[0], kinds[1]).tell(scenes)
		})
	}
	t.Run("149 lamps", func(t *testing.T) {
		t.Parallel()
		newStory(t, make, 149, hapController, aiohomekit).tell(many)
	})
}

// scenes are the story of two lamps.
var scenes = []scene{
	{"discover", true, (*story).discover},
	{"identify unpaired", false, (*story).identifyUnpaired},
	{"wrong code", false, (*story).wrongCode},
	{"pair", true, (*story).pair},
	{"a second pair-setup", false, (*story).secondSetup},
	{"accessories", true, (*story).readDatabase},
	{"read with all flags", false, (*story).readFlags},
	{"write", false, (*story).write},
	{"the same value again", false, (*story).sameValue},
	{"refusals", false, (*story).refusals},
	{"good and bad in one", false, (*story).mixed},
	{"write with its value asked back", false, (*story).response},
	{"timed write", false, (*story).timed},
	{"identify paired", false, (*story).identifyPaired},
	{"stopped for a while", true, (*story).stopped},
	{"over IPv6", false, (*story).overIPv6},
	{"add a second one", true, (*story).addSecond},
	{"events", true, (*story).events},
	{"no events after unsubscribing", false, (*story).unsubscribed},
	{"restart", true, (*story).restartStopped},
	{"second one becomes admin", false, (*story).becomesAdmin},
	{"killed", true, (*story).restartKilled},
	{"remove the second one", false, (*story).removeSecond},
	{"killed without the second one", true, (*story).restartWithoutSecond},
	{"remove the last admin", true, (*story).removeLast},
	{"pair again", true, (*story).pairAgain},
	{"unpair and pair at once", false, (*story).flap},
}

func (s *story) discover() {
	got, err := s.first.discover(s.Context(), "", "1")
	s.must(err)
	s.id = got.ID
	if want := regexp.MustCompile(`^([0-9A-F]{2}:){5}[0-9A-F]{2}$`); !want.MatchString(got.TXT["id"]) {
		s.Errorf("id %q", got.TXT["id"])
	}
	if n, err := strconv.Atoi(got.TXT["c#"]); err != nil || n < 1 || n > 65535 {
		s.Errorf("c# %q", got.TXT["c#"])
	}
	for key, want := range map[string]string{"ff": "0", "pv": "1.1", "s#": "1", "sf": "1", "ci": "2"} {
		if got.TXT[key] != want {
			s.Errorf("%s=%s, want %s; the whole of it is %v", key, got.TXT[key], want, got.TXT)
		}
	}
	if got.TXT["md"] == "" || got.TXT["sh"] == "" {
		s.Errorf("TXT %v has no md or no sh", got.TXT)
	}
	if !utf8.ValidString(got.Name) || got.Name == "" || len(got.Name) > 63 {
		s.Errorf("its name is %q", got.Name)
	}
	s.announced("1")
	if a := s.second.addresses(); len(a) != 2 || !strings.HasPrefix(a[0], "192.0.2.") || !strings.HasPrefix(a[1], "fd74:") {
		s.Errorf("%s sees the addresses %v", s.second.kind, s.second.service.Addresses)
	}
	families := 2
	if why := s.acc.Differs("mDNS over IPv6"); why != "" {
		s.Log(why)
		families = 1
	}
	world.Eventually(s.T, patient, func() (bool, string) {
		found := s.avahi.sees(s.T, s.id, "1")
		return len(found) == families, fmt.Sprintf("Avahi sees %+v, want it once for each family", found)
	})
	for _, a := range s.avahi.sees(s.T, s.id, "1") {
		if a.Name != got.Name || a.Port != got.Port || !maps.Equal(a.TXT, got.TXT) {
			s.Errorf("Avahi sees %+v, %s %+v", a, s.first.kind, got)
		}
	}
}

func (s *story) identifyUnpaired() { s.must(s.first.identify(s.Context())) }

func (s *story) identifyPaired() {
	var r *refusal
	if err := s.second.identify(s.Context()); !errors.As(err, &r) || r.HTTP != 400 {
		s.Errorf("identify without a session once it is paired: %v, want status 400", err)
	}
	s.put(s.first, set(s.lamp(1).identify, true))
}

func (s *story) wrongCode() {
	wrong := "111-22-333"
	if s.acc.SetupCode() == wrong {
		wrong = "111-22-334"
	}
	s.refused(s.first.pair(s.Context(), wrong), errorAuthentication)
	s.announced("1")
}

func (s *story) pair() {
	s.must(s.first.pair(s.Context(), s.acc.SetupCode()))
	s.announced("0")
	s.admins(s.first, map[string]bool{s.first.pairing.Controller: true})
}

func (s *story) secondSetup() {
	s.refused(s.second.pair(s.Context(), s.acc.SetupCode()), errorUnavailable)
}

func (s *story) readDatabase() {
	s.database(s.first)
	s.lamp(1)
	s.lamp(2)
	if len(s.lamps) != 2 {
		s.Errorf("%d lamps: %v", len(s.lamps), s.lamps)
	}
}

func (s *story) readFlags() {
	on, bright := s.lamp(1).on, s.lamp(1).brightness
	rows, err := s.first.get(s.Context(), []string{"meta", "perms", "type", "ev"}, on, bright)
	s.must(err)
	if len(rows) != 2 {
		s.Fatal(rows)
	}
	for _, r := range rows {
		format, kind := "bool", typeOn
		if r.IID == bright[1] {
			format, kind = "int", typeBrightness
			if r.Min == nil || *r.Min != 0 || r.Max == nil || *r.Max != 100 {
				s.Errorf("meta of Brightness: %+v", r)
			}
		}
		if r.Format != format || short(r.Type) != kind || r.Event == nil || *r.Event || r.Value == nil || !slices.Contains(r.Perms, "pw") {
			s.Errorf("%+v", r)
		}
	}
	plain := s.value(s.first, on)
	if plain.Format != "" || plain.Type != "" || plain.Event != nil || plain.Perms != nil {
		s.Errorf("without flags: %+v", plain)
	}
}

func (s *story) write() {
	on := s.lamp(1).on
	for _, v := range []bool{true, false, true} {
		s.put(s.first, set(on, v))
		s.shows(1, v)
		if got := s.value(s.first, on); isTrue(got.Value) != v {
			s.Errorf("read back %v, want %v", got, v)
		}
	}
	s.must(s.acc.Set(s.Context(), 1, false))
	s.shows(1, false)
	world.Eventually(s.T, patient, func() (bool, string) {
		got := s.value(s.first, on)
		return isFalse(got.Value), got.String()
	})
	if s.see(2).On {
		s.Error("the other lamp was switched")
	}
}

func (s *story) sameValue() {
	s.put(s.first, set(s.lamp(1).on, true))
	s.shows(1, true)
	before := s.see(1).Writes
	for i := range 3 {
		s.put(s.first, set(s.lamp(1).on, true))
		world.Eventually(s.T, patient, func() (bool, string) {
			v := s.see(1)
			return v.Writes == before+i+1, fmt.Sprintf("%d writes reached it, then %+v", before, v)
		})
	}
}

func (s *story) refusals() {
	l := s.lamp(1)
	ctx := s.Context()
	before := s.see(1)
	unknown := noResource
	if why := s.acc.Differs("unknown id"); why != "" {
		s.Log(why)
		unknown = invalidValue
	}
	for _, tt := range []struct {
		what  string
		id    id
		value any
		want  int
	}{
		{"out of range", l.brightness, 101, invalidValue},
		{"wrong type", l.on, "perhaps", invalidValue},
		{"unknown iid", id{l.on[0], 9999}, true, unknown},
		{"unknown aid", id{999999, l.on[1]}, true, unknown},
		{"read-only", l.name, "Moon", readOnly},
	} {
		rows, err := s.first.put(ctx, options{}, set(tt.id, tt.value))
		if got := s.status(rows, err, tt.id); got != tt.want {
			s.Errorf("write, %s: status %d, want %d", tt.what, got, tt.want)
		}
	}
	for _, tt := range []struct {
		what string
		id   id
		want int
	}{
		{"unknown iid", id{l.on[0], 9999}, unknown},
		{"unknown aid", id{999999, l.on[1]}, unknown},
		{"write-only", l.identify, writeOnly},
	} {
		rows, err := s.first.get(ctx, nil, tt.id)
		if got := s.status(rows, err, tt.id); got != tt.want {
			s.Errorf("read, %s: status %d, want %d", tt.what, got, tt.want)
		}
	}
	if after := s.see(1); after != before {
		s.Errorf("a lamp that was refused everything is %+v, and was %+v", after, before)
	}
}

func (s *story) mixed() {
	good, bad := s.lamp(2).on, s.lamp(2).brightness
	rows, err := s.first.put(s.Context(), options{}, set(bad, 101), set(good, true))
	if got := s.status(rows, err, bad); got != invalidValue {
		s.Errorf("the bad one: status %d", got)
	}
	if got := s.status(rows, err, good); got != 0 {
		s.Errorf("the good one: status %d", got)
	}
	s.shows(2, true)
	s.put(s.first, set(good, false))
	s.shows(2, false)
}

func (s *story) response() {
	on := s.lamp(1).on
	rows, err := s.first.put(s.Context(), options{response: true}, set(on, false))
	s.must(err)
	// On has no write response of its own (permission wr), so that the value may also stay away.
	for _, r := range rows {
		if r.AID != on[0] || r.IID != on[1] || r.Status != 0 || r.Value != nil && !isFalse(r.Value) {
			s.Errorf("got %v", rows)
		}
	}
	s.shows(1, false)
}

func (s *story) timed() {
	rows, err := s.first.put(s.Context(), options{timed: 5000}, set(s.lamp(1).on, true))
	s.must(err)
	for _, r := range rows {
		if r.Status != 0 {
			s.Error(rows)
		}
	}
	s.shows(1, true)
}

// stopped: an accessory that says nothing holds a controller up for as long as it is told to wait, and no longer.
func (s *story) stopped() {
	process, ok := s.acc.(interface {
		Signal(syscall.Signal)
		PID() int
	})
	if !ok {
		s.Fatalf("%T cannot be stopped", s.acc)
	}
	process.Signal(syscall.SIGSTOP)
	world.Eventually(s.T, patient, func() (bool, string) { // its threads stop one after the other
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", process.PID()))
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), ") T ") {
				return false, string(text)
			}
		}
		return err == nil && len(threads) > 0, "it has no threads"
	})
	ctx, cancel := context.WithTimeout(s.Context(), 4*time.Second)
	defer cancel()
	_, err := s.first.get(ctx, nil, s.lamp(1).on)
	if err == nil || ctx.Err() != nil {
		s.Errorf("of a stopped accessory comes %v", err)
	}
	process.Signal(syscall.SIGCONT)
	world.Eventually(s.T, patient, func() (bool, string) {
		_, err := s.first.get(s.Context(), nil, s.lamp(1).on)
		return err == nil, fmt.Sprint(err)
	})
}

func (s *story) overIPv6() {
	all := s.first.addresses()
	s.must(s.first.again(s.Context(), all[len(all)-1:], false))
	s.value(s.first, s.lamp(1).on)
	s.must(s.first.again(s.Context(), all, false))
}

func (s *story) addSecond() {
	ctx := s.Context()
	who, err := s.second.identity(ctx)
	s.must(err)
	s.must(s.first.add(ctx, who, false))
	s.must(s.second.load(ctx, pairing{identity: who, Accessory: s.first.pairing.Accessory, Key: s.first.pairing.Key}))
	s.database(s.second)
	s.admins(s.first, map[string]bool{s.first.pairing.Controller: true, who.Controller: false})
	_, err = s.second.list(ctx)
	s.refused(err, errorAuthentication)
	s.refused(s.second.add(ctx, who, true), errorAuthentication)
	s.refused(s.second.remove(ctx, s.first.pairing.Controller), errorAuthentication)
	s.admins(s.first, map[string]bool{s.first.pairing.Controller: true, who.Controller: false})
}

// events: each change goes to all connections but the one that made it.
func (s *story) events() {
	ctx := s.Context()
	one, two := s.lamp(1).on, s.lamp(2).on
	s.put(s.first, set(one, false), set(two, false))
	s.must(s.first.again(ctx, s.first.addresses(), true))
	for _, c := range []*controller{s.first, s.second} {
		s.database(c) // aiohomekit reads it before it does anything
		rows, err := c.subscribe(ctx, one, two)
		s.must(err)
		for _, r := range rows {
			if r.Status != 0 {
				s.Errorf("%s subscribes: %v", c.kind, rows)
			}
		}
	}
	rows, err := s.first.get(ctx, []string{"ev"}, one)
	s.must(err)
	if len(rows) != 1 || rows[0].Event == nil || !*rows[0].Event {
		s.Errorf("after subscribing: %+v", rows)
	}
	for _, v := range []bool{true, false} {
		first, second := s.first.mark(), s.second.mark()
		began := monotonic(s.T)
		s.put(s.first, set(one, v))
		s.Logf("%s is told %v after the write was begun", s.second.kind, (s.event(s.second, second, one, v).at - began).Round(100*time.Microsecond))
		// What comes from the accessory's side goes to both, and behind everything from before.
		s.must(s.acc.Set(ctx, 2, v))
		s.event(s.first, first, two, v)
		s.event(s.second, second, two, v)
		if n := events(s.first, first, one); n != 0 {
			s.Errorf("the writer was told of its own write %d times: %v", n, s.first.since(first))
		}
		if n := events(s.second, second, one); n != 1 {
			s.Errorf("the other one was told %d times: %v", n, s.second.since(second))
		}
	}
	if s.first.kind == hapController {
		// Another connection of the same controller is told.
		s.must(s.first.again(ctx, s.first.addresses(), false))
		_, err := s.first.subscribe(ctx, one, two)
		s.must(err)
		mark := s.first.mark()
		s.put(s.first, set(one, true))
		s.event(s.first, mark, one, true)
	}
}

func (s *story) unsubscribed() {
	ctx := s.Context()
	two := s.lamp(2).on
	s.must(s.second.unsubscribe(ctx, two))
	first, second := s.first.mark(), s.second.mark()
	s.must(s.acc.Set(ctx, 2, true))
	s.event(s.first, first, two, true)
	world.Never(s.T, 600*time.Millisecond, func() (bool, string) {
		return events(s.second, second, two) > 0, fmt.Sprintf("%s is told: %v", s.second.kind, s.second.since(second))
	})
}

func (s *story) both() map[string]bool {
	return map[string]bool{s.first.pairing.Controller: true, s.second.pairing.Controller: false}
}

// restarted makes sure that the subscriptions stand again.
func (s *story) restarted() {
	s.Helper()
	one := s.lamp(1).on
	s.must(s.acc.Set(s.Context(), 1, false))
	s.shows(1, false)
	first, second := s.first.mark(), s.second.mark()
	s.must(s.acc.Set(s.Context(), 1, true))
	s.event(s.first, first, one, true)
	s.event(s.second, second, one, true)
}

func (s *story) restartStopped() {
	s.restart(s.acc.Stop, s.first, s.second)
	s.admins(s.first, s.both())
	s.restarted()
}

func (s *story) becomesAdmin() {
	s.must(s.first.add(s.Context(), s.second.pairing.identity, true))
	s.admins(s.first, map[string]bool{s.first.pairing.Controller: true, s.second.pairing.Controller: true})
	s.admins(s.second, map[string]bool{s.first.pairing.Controller: true, s.second.pairing.Controller: true})
	s.must(s.first.add(s.Context(), s.second.pairing.identity, false))
	s.admins(s.first, s.both())
}

func (s *story) restartKilled() {
	s.restart(s.acc.Kill, s.first, s.second)
	s.admins(s.first, s.both())
	s.restarted()
}

func (s *story) removeSecond() {
	ctx := s.Context()
	mark := s.second.mark()
	s.must(s.first.remove(ctx, s.second.pairing.Controller))
	s.without(s.second, mark)
	s.admins(s.first, map[string]bool{s.first.pairing.Controller: true})
	s.must(s.first.remove(ctx, s.second.pairing.Controller)) // one that is not there
	s.announced("0")
}

// without makes sure that a controller whose pairing was taken away is out.
func (s *story) without(c *controller, mark int) {
	s.Helper()
	_, err := c.hear(s.Context(), mark, c.kind+" to lose its connection", func(n notice) bool { return n.gone })
	s.must(err)
	_, err = c.get(s.Context(), nil, s.lamp(1).on)
	if r := new(refusal); errors.As(err, &r) && r.TLV == 0 {
		_, err = c.get(s.Context(), nil, s.lamp(1).on) // it has two connections, and the other was just being closed
	}
	s.refused(err, errorAuthentication)
}

func (s *story) restartWithoutSecond() {
	s.restart(s.acc.Kill, s.first)
	s.admins(s.first, map[string]bool{s.first.pairing.Controller: true})
	_, err := s.second.get(s.Context(), nil, s.lamp(1).on)
	s.refused(err, errorAuthentication)
}

// removeLast: with the last admin all pairings end (HAP 5.11).
func (s *story) removeLast() {
	ctx := s.Context()
	s.must(s.first.add(ctx, s.second.pairing.identity, false))
	s.must(s.second.again(ctx, s.second.addresses(), false))
	s.value(s.second, s.lamp(1).on)
	_, err := s.second.subscribe(ctx, s.lamp(1).on)
	s.must(err)
	mark := s.second.mark()
	s.must(s.first.remove(ctx, s.first.pairing.Controller))
	s.without(s.second, mark)
	s.announced("1")
	// It has closed its connection itself, as a controller does that removes itself.
	s.must(s.first.again(ctx, s.first.addresses(), false))
	_, err = s.first.get(ctx, nil, s.lamp(1).on)
	s.refused(err, errorAuthentication)
}

func (s *story) pairAgain() {
	ctx := s.Context()
	s.must(s.first.close(ctx))
	s.must(s.second.close(ctx))
	s.must(s.second.pair(ctx, s.acc.SetupCode()))
	s.announced("0")
	s.database(s.second)
	s.admins(s.second, map[string]bool{s.second.pairing.Controller: true})
}

// flap: what is announced in the end is how it is in the end.
func (s *story) flap() {
	ctx := s.Context()
	s.must(s.second.remove(ctx, s.second.pairing.Controller))
	s.must(s.second.close(ctx))
	s.must(s.first.pair(ctx, s.acc.SetupCode()))
	s.must(s.first.remove(ctx, s.first.pairing.Controller))
	s.must(s.first.close(ctx))
	s.must(s.second.pair(ctx, s.acc.SetupCode()))
	s.must(s.second.remove(ctx, s.second.pairing.Controller))
	s.browsed("1")
	if why := s.acc.Differs("unpair and pair at once"); why != "" {
		s.Log(why)
		return
	}
	s.avahi.sees(s.T, s.id, "1")
	world.Never(s.T, 1500*time.Millisecond, func() (bool, string) {
		for _, a := range s.avahi.look() {
			if a.ID == s.id && a.TXT["sf"] != "1" {
				return true, fmt.Sprintf("Avahi sees %+v", a)
			}
		}
		return false, ""
	})
	s.announced("1")
}
