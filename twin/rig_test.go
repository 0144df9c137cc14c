package twin_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

// lampName is the device that most tests are about.
var lampName = twin.Name{Namespace: "default", Name: "lamp"}

// lampProps are the properties of the lamp: one of every kind that a rule distinguishes.
func lampProps() []twin.Property {
	f := func(x float64) *float64 { return &x }
	return []twin.Property{
		{Name: "power", Type: twin.String, Enum: []string{"ON", "OFF"}},
		{Name: "level", Type: twin.Int, Min: f(0), Max: f(100), Step: 5},
		{Name: "hue", Type: twin.Float, Min: f(0), Max: f(360), Tolerance: 2},
		{Name: "note", Type: twin.String},
		{Name: "more", Type: twin.Bool},
		{Name: "temp", Type: twin.Float, Access: twin.ReadOnly},
	}
}

// rig drives one node by hand: its clock, its disk, its mapper, its hub. Nothing happens by itself, save that wait runs
// the timers that fall due.
type rig struct {
	t     testing.TB
	name  string // of the node
	node  *twin.Node
	now   twin.Now
	disk  map[string][]byte
	taken *twin.Batch // a batch under way
	file  string
	ids   int
	conn  string // where reports come from
	uid   string // of the lamp

	offers, revs uint64 // at the last look
	mark         uint64
	sessions     int
	number       uint64 // of the last cloud wish
	hubStore     string
	hub          twin.HubHello // what a hub that misses nothing would say
}

// newRig opens a node on an empty disk.
func newRig(t testing.TB) *rig { return newNode(t, "attic") }

func newNode(t testing.TB, name string) *rig {
	t.Helper()
	r := &rig{
		t: t, name: name, disk: map[string][]byte{}, file: "file-1", conn: "c1", hubStore: "hub-1",
		now: twin.Now{Mono: time.Second, Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	r.open()
	return r
}

// newLamp opens a node with the lamp on it, long enough ago that nothing counts as just started.
func newLamp(t testing.TB, notes map[string]string, change func(*twin.Device)) *rig {
	t.Helper()
	r := newRig(t)
	r.define(notes, change)
	r.commit()
	r.wait(10 * time.Second)
	r.look()
	return r
}

func (r *rig) newID() string {
	r.ids++
	return fmt.Sprintf("%s%d", r.name, r.ids)
}

// open starts a process on what is on the disk. What was not committed is gone.
func (r *rig) open() {
	r.t.Helper()
	n, err := twin.OpenNode(twin.NodeConfig{Name: r.name, FileID: r.file, NewID: r.newID}, r.records())
	if err != nil {
		r.t.Fatalf("open: %v", err)
	}
	r.node, r.taken = n, nil
	r.now.Mono = time.Second // another process, another monotonic clock
	n.Start(r.now)
	r.offers, r.revs = 0, n.Rev()
}

func (r *rig) records() []twin.Record {
	var out []twin.Record
	for _, k := range slices.Sorted(maps.Keys(r.disk)) {
		out = append(out, twin.Record{Key: k, Data: r.disk[k]})
	}
	return out
}

// define makes or changes the lamp as the node's own device.
func (r *rig) define(notes map[string]string, change func(*twin.Device)) {
	r.t.Helper()
	dev := twin.Device{Name: lampName, Properties: lampProps(), Annotations: notes}
	if change != nil {
		change(&dev)
	}
	if err := r.node.Apply(r.now, nil, []twin.Device{dev}); err != nil {
		r.t.Fatalf("define: %v", err)
	}
	r.uid = r.view().Device.UID
}

// take begins a batch, done ends it.
func (r *rig) take() {
	r.t.Helper()
	if r.taken != nil {
		r.t.Fatal("a batch is under way already")
	}
	if b, ok := r.node.TakeBatch(true); ok {
		r.taken = &b
	}
}

func (r *rig) done(err error) {
	if r.taken == nil {
		return
	}
	b := *r.taken
	r.taken = nil
	if err == nil {
		for _, rec := range b.Records {
			if rec.Data == nil {
				delete(r.disk, rec.Key)
			} else {
				r.disk[rec.Key] = rec.Data
			}
		}
	}
	r.node.Committed(r.now, b, err)
}

func (r *rig) commit() {
	r.t.Helper()
	r.take()
	r.done(nil)
}

func (r *rig) fail() {
	r.t.Helper()
	r.take()
	r.done(errors.New("no space left"))
}

// wait lets time pass; timers run at the moment they are due, as the loop of a real holder runs them.
func (r *rig) wait(d time.Duration) {
	end := r.now.Mono + d
	for range 10000 {
		at, ok := r.node.NextTimer()
		if !ok || at > end {
			r.pass(end)
			return
		}
		r.pass(max(at, r.now.Mono))
		r.node.Tick(r.now)
	}
	r.t.Fatal("timers fall due without end")
}

func (r *rig) pass(to time.Duration) {
	r.now.Wall = r.now.Wall.Add(to - r.now.Mono)
	r.now.Mono = to
}

// look sets the marks from which offers and revs are counted.
func (r *rig) look() {
	r.offers, r.revs = r.view().OfferSeq, r.node.Rev()
}

func (r *rig) view() twin.View {
	r.t.Helper()
	v, err := r.node.View(r.now, lampName)
	if err != nil {
		r.t.Fatalf("view: %v", err)
	}
	return v
}

// values reads P=V words as the lamp's properties type them; what is no property of the lamp becomes a string.
func (r *rig) values(words []string) map[string]twin.Value {
	r.t.Helper()
	out := map[string]twin.Value{}
	for _, w := range words {
		name, text, ok := strings.Cut(w, "=")
		if !ok {
			r.t.Fatalf("%q: expected P=V", w)
		}
		out[name] = r.value(name, text)
	}
	return out
}

func (r *rig) value(name, text string) twin.Value {
	r.t.Helper()
	typ := twin.String
	if view, err := r.node.View(r.now, lampName); err == nil {
		if p := view.Prop(name); p != nil {
			typ = p.Def.Type
		}
	}
	v, err := twin.ParseText(typ, text)
	if err != nil {
		return twin.StringValue(text) // to be refused by the node
	}
	return v
}

// field names the field at fault in an error; "" if none is named.
func field(err error) string {
	var f *twin.FieldError
	if errors.As(err, &f) {
		return f.Field
	}
	return ""
}
