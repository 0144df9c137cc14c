package twin_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"twinbridge/twin"
)

// Rule 11, Bounded: what a hub may send does not grow the node for ever.
func TestTombstonesAreBounded(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play("ready power=OFF\nlink")
	for i := range twin.MaxTombstones + 10 {
		r.play(fmt.Sprintf("cloud c%d uid=u%d power=ON", i, i))
	}
	if got := countRecords(r.node, "gone/"); got != twin.MaxTombstones {
		t.Errorf("after wishes for %d creations that are no more: %d tombstones, want %d", twin.MaxTombstones+10, got, twin.MaxTombstones)
	}
	// The last one has its answer.
	r.commit()
	if got := r.told(); !strings.HasSuffix(got, ":superseded") || !strings.Contains(got, fmt.Sprintf("c%d:", twin.MaxTombstones+9)) {
		t.Errorf("the last wish has no answer: ...%s", got[max(0, len(got)-60):])
	}
	for i := range twin.MaxTombstones + 10 {
		gone := twin.Definition{Device: twin.Device{Name: lampName, UID: fmt.Sprint("v", i), Generation: 1}, Removed: true}
		if err := r.node.DefineCloud(r.now, gone); err != nil {
			t.Fatal(err)
		}
	}
	if got := countRecords(r.node, "gone/"); got != twin.MaxTombstones {
		t.Errorf("after deletions of what was never here: %d tombstones, want %d", got, twin.MaxTombstones)
	}
}

func TestAnswersForTheDeletedAreBounded(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play("ready power=OFF\nlink")
	for i := range twin.KeptCloudIDs + 10 {
		r.play(fmt.Sprintf("cloud c%d uid=gone power=ON", i))
	}
	r.commit()
	if got := strings.Count(r.told(), ":superseded"); got != twin.KeptCloudIDs {
		t.Errorf("answers kept: got %d, want %d", got, twin.KeptCloudIDs)
	}
}

// Ids and outcomes of cloud wishes: the last 256, and none that the hub has not acknowledged is forgotten.
func TestCloudIDsAreBounded(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play("ready power=OFF\nlink")
	for i := range twin.KeptCloudIDs + 20 {
		r.play(fmt.Sprintf("cloud c%d power=OFF", i))
		if i%32 == 0 {
			r.play("commit\ntold -> ...\nack")
		}
	}
	r.commit()
	for what, keys := range map[string][]string{"in memory": keysOf(r.node.EncodeAll()), "on disk": slices.Sorted(maps.Keys(r.disk))} {
		kept := map[string]bool{}
		for _, k := range keys {
			if id, ok := strings.CutPrefix(k, "cloud/default/lamp/"); ok {
				kept[id] = true
			}
		}
		if got := len(kept); got != twin.KeptCloudIDs {
			t.Errorf("ids kept %s: got %d, want %d", what, got, twin.KeptCloudIDs)
		}
		if last := fmt.Sprint("c", twin.KeptCloudIDs+19); !kept[last] {
			t.Errorf("the last one, %s, is not kept %s", last, what)
		}
	}
}

func keysOf(records []twin.Record) (out []string) {
	for _, r := range records {
		out = append(out, r.Key)
	}
	return out
}

// Openings: a node that starts every day does not grow.
func TestOpeningsAreBounded(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play("ready power=OFF")
	for range 100 {
		r.play("restart")
	}
	for _, e := range r.node.EncodeAll() {
		if e.Key == "meta" && len(e.Data) > 8<<10 {
			t.Errorf("after 100 starts the meta record has %d bytes", len(e.Data))
		}
	}
	r.play("link\ncommit\ntold -> ...\nunlink")
	id := r.node.StoreID()
	r.play("restart\nlink\ncommit")
	if r.node.StoreID() != id {
		t.Error("it does not recognise its own last opening")
	}
}

func TestDevicesAreBounded(t *testing.T) {
	r := newRig(t)
	var many []twin.Device
	for i := range twin.MaxDevices {
		many = append(many, twin.Device{Name: twin.Name{Namespace: "default", Name: fmt.Sprint("d", i)}})
	}
	if err := r.node.Apply(r.now, nil, many); err != nil {
		t.Fatal(err)
	}
	if err := r.node.Apply(r.now, nil, many); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := r.node.Apply(r.now, nil, []twin.Device{{Name: lampName}}); field(err) != "devices" {
		t.Errorf("one more of the node: got %v, want an error about devices", err)
	}
	cloud := twin.Device{Name: lampName, UID: "u1", Generation: 1, Definer: twin.DefinedByCloud}
	if err := r.node.DefineCloud(r.now, twin.Definition{Device: cloud}); field(err) != "devices" {
		t.Errorf("one more of the cloud: got %v, want an error about devices", err)
	}
	if got := len(r.node.Names()); got != twin.MaxDevices {
		t.Errorf("devices: got %d, want %d", got, twin.MaxDevices)
	}
}

func countRecords(n *twin.Node, prefix string) (k int) {
	for _, e := range n.EncodeAll() {
		if strings.HasPrefix(e.Key, prefix) {
			k++
		}
	}
	return k
}
