package mapper

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// Mapper is the sink of its workers.
var _ sink = (*Mapper)(nil)

// report sends a report. The key "wish" is there always, so that the node knows that this mapper names wishes, and the
// mapper names itself, as its will does: a broker between may not show who speaks (rule 5).
func (m *Mapper) report(n twin.Name, props map[string]twin.PropReport) bool {
	id := m.reports.Add(1)
	up := topic.Update{EventID: "r" + strconv.FormatUint(id, 10), Timestamp: time.Now().UnixMilli(), Twins: make([]topic.Twin, 0, len(props)), Mapper: m.id}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		p := props[name]
		t := topic.Twin{Name: name}
		if p.Error != "" {
			t.Error, t.Wish, t.HasWish = p.Error, p.Wish, true
		} else {
			t.Actual = topic.Value{Set: true, Text: p.Value.Text(), Wish: p.Wish, HasWish: true, Act: p.Act}
		}
		up.Twins = append(up.Twins, t)
	}
	return m.publish(topic.Of(topic.TwinUpdate, n), up.Encode())
}

// state sends the state of a device.
func (m *Mapper) state(n twin.Name, word string) {
	id := m.states.Add(1)
	st := topic.State{EventID: "s" + strconv.FormatUint(id, 10), Timestamp: time.Now().UnixMilli(), State: word, Mapper: m.id}
	m.publish(topic.Of(topic.StateUpdate, n), st.Encode())
}

// ask has the node offer again what is pending on a device.
func (m *Mapper) ask(n twin.Name) {
	rq := topic.Request{EventID: "g", Timestamp: time.Now().UnixMilli()}
	m.publish(topic.Of(topic.TwinGet, n), rq.Encode())
}

// publish sends over the connection of now. Without one it is lost, which is as good as said too early: a connection
// begins with everything.
func (m *Mapper) publish(t topic.Topic, payload []byte) bool {
	l := m.link.Load()
	return l != nil && l.publish(t.String(), payload)
}
