package eventbus

import (
	"testing"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// TestHurry: of wishes that supersede each other faster than a device follows, not every one is handed over; the last one
// is, in the end, and a wish after one that was carried out does not wait.
func TestHurry(t *testing.T) {
	h := newHouse(t, "lamp")
	c := h.connect("$hw/events/device/lamp/twin/update/delta")
	c.publish("$hw/events/device/lamp/twin/update", report("", "level", "0"))
	const wishes = 2000
	name := twin.Name{Namespace: "default", Name: "lamp"}
	began := time.Now()
	for i := range wishes {
		h.wish("lamp", "level", twin.IntValue(int64(i+1)))
		h.proto.look(h.proto.find(name), "") // at once, as a bus does that has nothing else to do
	}
	took := time.Since(began)
	deltas := 0
	for last := ""; last != "2000"; deltas++ {
		m := c.next(topic.TwinDelta)
		d, err := topic.DecodeDelta(m.payload)
		if err != nil || len(d.Wanted) != 1 {
			t.Fatalf("delta %s: %v", m.payload, err)
		}
		last = d.Wanted[0].Value
	}
	if most := int(took/deltaGap) + 3; deltas > most {
		t.Errorf("%d deltas of %d wishes in %v, want at most %d", deltas, wishes, took, most)
	}
}

// TestHurryIsToldTheEnd: a device that is deleted while its delta waits is told of like any other.
func TestHurryIsToldTheEnd(t *testing.T) {
	h := newHouse(t, "lamp")
	name := twin.Name{Namespace: "default", Name: "lamp"}
	delta := h.connect("$hw/events/device/lamp/twin/update/delta")
	members := h.connect("$hw/events/node/edge1/membership/updated")
	delta.publish("$hw/events/device/lamp/twin/update", report("", "level", "0"))
	for i := 1; !h.proto.waits(name); i++ {
		h.wish("lamp", "level", twin.IntValue(int64(i)))
		h.proto.look(h.proto.find(name), "")
	}
	if err := h.store.Delete(name); err != nil {
		t.Fatal(err)
	}
	m := members.next(topic.MembershipUpdated)
	got, err := topic.DecodeMembership(m.payload)
	if err != nil || len(got.Removed) != 1 || got.Removed[0].ID != name {
		t.Errorf("the mappers were told %s, %v", m.payload, err)
	}
}
