package twin_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

// states are histories that leave a node with something of every kind in its records.
var states = map[string]string{
	"new":                  ``,
	"quiet":                `ready power=OFF level=50 hue=12.5 note=hello more=true temp=20`,
	"standing wish":        "ready power=OFF\nask w1 power=ON level=50",
	"press":                "ready power=OFF\nask p1 1h power=ON",
	"in part lost":         "ready power=OFF\nask w1 power=ON level=50\nask w2 power=OFF",
	"in part shown":        "ready power=OFF level=0\nask w1 power=ON level=50\necho power=ON#w1",
	"ended":                "ready power=OFF\nask w1 power=ON\necho power=ON#w1\nask p1 5s power=OFF\nwait 5s\necho level=5!",
	"trouble":              "ready power=OFF\nask w1 power=ON\nwait 1m",
	"restored":             "ready power=OFF\nstate offline\nstate online\nreport power=ON",
	"expired at the start": "ready power=OFF\nask p1 1h power=ON\ncommit\nrestart",
	"cloud": `ready power=OFF
		link
		cloud c1 power=ON
		cloud c2 level=7
		cloud c3 1h insist level=50`,
	"another hub":  "ready power=OFF\nlink\ncloud c1 power=ON\ncommit\nlink store=hub-2",
	"deleted":      "ready power=OFF\nlink\ncloud c1 power=ON\nask w1 level=5\ndelete",
	"created anew": "ready power=OFF\nlink\ncloud c1 power=ON\ndelete\nagain\nask w1 power=ON",
	"odd texts":    "ask w1 note=\"\\u2028'<&>",
}

// presence is written as a help for who looks into the store; a start does not believe it (rule 8).
var presence = regexp.MustCompile(`"presence":"[a-z]*",`)

func TestNodeRecordsRoundTrip(t *testing.T) {
	for name, script := range states {
		t.Run(name, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			r.play(script)
			wrote := r.node.EncodeAll()
			again := reopen(t, wrote)
			compareRecords(t, wrote, again)
		})
	}
}

func reopen(t *testing.T, records []twin.Record) []twin.Record {
	t.Helper()
	n, err := twin.OpenNode(twin.NodeConfig{Name: "attic", FileID: "file-1", NewID: func() string { return "x" }}, records)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return n.EncodeAll()
}

func compareRecords(t *testing.T, a, b []twin.Record) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d records became %d", len(a), len(b))
	}
	for i := range a {
		x, y := presence.ReplaceAll(a[i].Data, nil), presence.ReplaceAll(b[i].Data, nil)
		if a[i].Key != b[i].Key || !bytes.Equal(x, y) {
			t.Errorf("record %s became %s:\n %s\n %s", a[i].Key, b[i].Key, x, y)
		}
	}
}

// What was committed step by step is what the node would write at once.
func TestDiskIsComplete(t *testing.T) {
	for name, script := range states {
		t.Run(name, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			for line := range strings.Lines(script) {
				r.play(line)
				r.commit()
			}
			compareRecords(t, r.node.EncodeAll(), r.records())
		})
	}
}

func TestHubRecordsRoundTrip(t *testing.T) {
	for name, script := range map[string]string{
		"quiet":    ``,
		"unsent":   "cut\nhub ask c1 power=ON\nhub ask c2 1h level=50\nhub ask c3 insist hue=5",
		"sent":     "hub ask c1 guard=power:now power=ON\npump",
		"ended":    "hub ask c1 power=ON\npump\necho power=ON#c1\npump",
		"carried":  "hub ask c1 power=ON\npump\ncut\nnewdisk\nconnect\npump",
		"question": "hub ask c0 power=ON\npump\nhub save\nhub ask c1 level=5\npump\ncut\nhub old\nconnect",
		"moving":   "cut\nhub move cellar",
		"deleted":  "cut\nhub ask c1 power=ON\nhub delete",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.play(home)
			w.play(script)
			w.commitHub()
			for node, session := range w.links { // whoever opens the records finds nobody connected
				w.hub.Disconnect(w.now, node, session)
			}
			wrote := w.hub.EncodeAll()
			h, err := twin.OpenHub(twin.HubConfig{NewID: func() string { return "x" }}, w.now, wrote)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			compareRecords(t, wrote, h.EncodeAll())
		})
	}
}

func TestOpenNodeRefuses(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play(states["cloud"])
	good := r.node.EncodeAll()
	damage := func(key string, data string) []twin.Record {
		out := slices.Clone(good)
		for i := range out {
			if strings.HasPrefix(out[i].Key, key) {
				out[i].Data = []byte(data)
			}
		}
		return out
	}
	for name, records := range map[string][]twin.Record{
		"no JSON in the meta":     damage("meta", "{"),
		"no JSON in a device":     damage("device/", "nothing"),
		"no JSON in a twin":       damage("twin/", "[]"),
		"a kind nobody knows":     append(slices.Clone(good), twin.Record{Key: "extra/x", Data: []byte("{}")}),
		"a device without a name": damage("device/", `{"device":{}}`),
		"no meta":                 slices.DeleteFunc(slices.Clone(good), func(r twin.Record) bool { return r.Key == "meta" }),
	} {
		n, err := twin.OpenNode(twin.NodeConfig{Name: "attic", NewID: r.newID}, records)
		if err == nil || n != nil {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
}

// FuzzOpenNode puts arbitrary bytes in the place of one record of a node that has everything: the node refuses them, or
// it works, and writes what it can read again.
func FuzzOpenNode(f *testing.F) {
	var sets [][]twin.Record
	for _, name := range []string{"cloud", "in part shown", "deleted", "created anew"} {
		r := newLamp(f, nil, nil)
		r.play(states[name])
		sets = append(sets, r.node.EncodeAll())
		for i, rec := range sets[len(sets)-1] {
			f.Add(uint8(len(sets)-1), uint8(i), rec.Data)
		}
	}
	f.Fuzz(func(t *testing.T, set, which uint8, data []byte) {
		records := slices.Clone(sets[int(set)%len(sets)])
		records[int(which)%len(records)].Data = data
		ids := 0
		newID := func() string { ids++; return strings.Repeat("f", ids) }
		cfg := twin.NodeConfig{Name: "attic", FileID: "file-1", NewID: newID}
		n, err := twin.OpenNode(cfg, records)
		if err != nil {
			return
		}
		wrote := n.EncodeAll()
		again, err := twin.OpenNode(cfg, wrote)
		if err != nil {
			t.Fatalf("what it wrote it does not read: %v", err)
		}
		compareRecords(t, wrote, again.EncodeAll())
		exercise(n)
	})
}

// exercise does with a node what a start, a mapper and a hub do.
func exercise(n *twin.Node) {
	now := twin.Now{Mono: time.Second}
	n.Start(now)
	if b, ok := n.TakeBatch(true); ok {
		n.Committed(now, b, nil)
	}
	n.LinkUp(now, twin.HubHello{HubStore: "hub-1", Session: "s1"})
	n.Decisions()
	n.Observations(64)
	for _, name := range n.Names() {
		v, err := n.View(now, name)
		if err != nil {
			continue
		}
		rep := twin.Report{Props: map[string]twin.PropReport{}}
		for i := range v.Props {
			rep.Props[v.Props[i].Def.Name] = twin.PropReport{Value: v.Props[i].Expected}
		}
		_, _ = n.Report(now, name, rep)
		_ = n.State(now, name, "online", "c1")
	}
	now.Mono += time.Hour
	n.Tick(now)
	n.EncodeAll()
}
