package mapper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// visit is what a mapper does at its node over one connection: it learns the devices and keeps the workers in step.
type visit struct {
	m       *Mapper
	l       *link
	devices context.Context // of the workers; it outlives the connection

	asked    int                // questions for the list of devices
	parts    []topic.Device     // of the answer to the last one
	got      int                // parts
	answered bool               // the whole list is known
	since    map[twin.Name]bool // devices that came, went or were defined anew since the last question
}

// ask asks for the whole list of devices.
func (v *visit) ask() {
	v.asked++
	v.parts, v.got, v.since = nil, 0, map[twin.Name]bool{}
	rq := topic.Request{EventID: v.event(), Timestamp: time.Now().UnixMilli()}
	v.m.publish(topic.OfNode(topic.MembershipGet, v.m.cfg.Node), rq.Encode())
}

// event names the last question, so that answers to somebody else's are not taken for ours.
func (v *visit) event() string { return fmt.Sprintf("%s-%d", v.m.id, v.asked) }

// look works through one message. An error ends the connection.
func (v *visit) look(ctx context.Context, n note) error {
	if t, err := topic.Parse(n.topic); err == nil {
		switch t.Kind {
		case topic.MembershipResult:
			return v.list(ctx, n.payload)
		case topic.MembershipUpdated:
			return v.update(ctx, n.payload)
		default:
		}
	}
	v.press(n)
	return nil
}

// list takes a part of the list; with the last part, who is not in it is not ours any more. The list may have been made before
// a change that was told before it. So of devices that have changed since the question it says nothing: what was told of them
// is as new as the list, or newer.
func (v *visit) list(ctx context.Context, payload []byte) error {
	answer, err := topic.DecodeMembers(payload)
	if answer.EventID != v.event() {
		return nil // somebody else's
	}
	if err != nil {
		v.m.log.Warn("list of devices", "error", err) // the good ones are told beside the error
	}
	if answer.Code != 0 {
		v.m.log.Warn("the node does not tell its devices", "code", answer.Code, "reason", answer.Reason)
		return nil
	}
	v.parts = append(v.parts, answer.Devices...)
	if v.got++; v.got < answer.Parts {
		return nil
	}
	ours := map[twin.Name]bool{}
	for i := range v.parts {
		ours[v.parts[i].ID] = true
	}
	for _, name := range v.m.names() {
		// A damaged entry is not told: then nobody is sent away for being missing.
		if !ours[name] && !v.since[name] && err == nil {
			v.remove(name)
		}
	}
	list := slices.DeleteFunc(v.parts, func(d topic.Device) bool { return v.since[d.ID] })
	v.parts, v.got, v.answered = nil, 0, true
	return v.take(ctx, list)
}

func (v *visit) update(ctx context.Context, payload []byte) error {
	change, err := topic.DecodeMembership(payload)
	if err != nil {
		v.m.log.Warn("change of devices", "error", err)
	}
	for i := range change.Removed {
		v.note(change.Removed[i].ID)
		v.remove(change.Removed[i].ID)
	}
	for i := range change.Added {
		v.note(change.Added[i].ID)
	}
	return v.take(ctx, change.Added)
}

// note notes that a device has changed, as long as a list may come that does not know of it.
func (v *visit) note(n twin.Name) {
	if !v.answered {
		v.since[n] = true
	}
}

// take listens for the devices' deltas first, so that none is missed, and then starts the workers.
func (v *visit) take(ctx context.Context, list []topic.Device) error {
	var filters []string
	for i := range list {
		if d := &list[i]; v.m.driver(d) != nil {
			filters = append(filters, topic.Of(topic.TwinDelta, d.ID).String())
		}
	}
	if err := v.l.subscribe(ctx, filters...); err != nil {
		return err
	}
	for i := range list {
		if d := &list[i]; v.m.driver(d) != nil {
			v.put(d)
		} else {
			v.remove(d.ID) // its protocol may have been ours before
		}
	}
	return nil
}

// put gives a device its worker: a new one if it has none, or if what the driver has to know changed.
func (v *visit) put(d *topic.Device) {
	m := v.m
	spec := Spec{Name: d.ID, Config: d.Protocol.Config, Props: d.Properties, Last: map[string]twin.Value{}}
	for i := range d.Twins {
		for j := range spec.Props {
			if t, p := &d.Twins[i], &spec.Props[j]; p.Name == t.Name && t.Expected.Set {
				if val, err := p.Parse(t.Expected.Text); err == nil {
					spec.Last[p.Name] = val
				}
			}
		}
	}
	m.mu.RLock()
	old := m.workers[d.ID]
	m.mu.RUnlock()
	if old != nil && old.protocol == protocolOf(d) && sameDefinition(&old.spec, &spec) {
		// Either this is a new connection, or the node tells what it told before: then it is the node that has a new one.
		old.inbox.putResync()
		return
	}
	ctx, cancel := context.WithCancel(v.devices)
	w := newWorker(spec, m.driver(d), m, m.log)
	w.protocol, w.cancel = protocolOf(d), cancel
	m.mu.Lock()
	m.workers[d.ID] = w
	m.mu.Unlock()
	left := v.m.leaving[d.ID]
	delete(v.m.leaving, d.ID)
	if old != nil {
		old.dismiss()
	}
	m.running.Go(func() {
		defer cancel()
		if left != nil {
			<-left.done // two must not have the same line
		}
		if old != nil {
			<-old.done
			w.inherit(old)
		}
		w.run(ctx)
	})
}

// remove lets go of a device that is not this mapper's any more.
func (v *visit) remove(n twin.Name) {
	m := v.m
	m.mu.Lock()
	w := m.workers[n]
	delete(m.workers, n)
	m.mu.Unlock()
	if w == nil {
		return
	}
	v.l.unsubscribe(topic.Of(topic.TwinDelta, n).String())
	w.dismiss()
	maps.DeleteFunc(m.leaving, func(_ twin.Name, w *worker) bool {
		select {
		case <-w.done:
			return true
		default:
			return false
		}
	})
	m.leaving[n] = w
}

// press hands a hand's message to the driver of simulated devices.
func (v *visit) press(n note) {
	p := strings.Split(n.topic, "/")
	if len(p) != 5 {
		return
	}
	name := twin.Name{Namespace: p[2], Name: p[3]}
	hand, ok := v.m.drivers[p[1]].(Presser)
	v.m.mu.RLock()
	w := v.m.workers[name]
	v.m.mu.RUnlock()
	if !ok || n.topic != pressTopic(p[1], name.Namespace, name.Name) || w == nil || w.protocol != p[1] {
		v.m.log.Warn("press at a device that is not here", "topic", n.topic)
		return
	}
	if err := w.guard("Press", func() error { return hand.Press(name, n.payload) }); err != nil {
		v.m.log.Warn("press", "error", err)
	}
}

// pressTopic is the topic of [Presser].
func pressTopic(protocol, namespace, name string) string {
	return "$twinbridge/" + protocol + "/" + namespace + "/" + name + "/press"
}

func protocolOf(d *topic.Device) string { return strings.ToLower(d.Protocol.Protocol) }

// driver gives the driver of a device, nil if it is another mapper's.
func (m *Mapper) driver(d *topic.Device) Driver { return m.drivers[protocolOf(d)] }

func (m *Mapper) names() []twin.Name {
	m.mu.RLock()
	defer m.mu.RUnlock()
	names := make([]twin.Name, 0, len(m.workers))
	for n := range m.workers {
		names = append(names, n)
	}
	return names
}

// sameDefinition compares what a driver and a worker look at: descriptions may change without a blink.
func sameDefinition(a, b *Spec) bool {
	return bytes.Equal(essence(a), essence(b))
}

func essence(s *Spec) []byte {
	props := make([]twin.Property, len(s.Props))
	for i := range s.Props {
		props[i] = s.Props[i]
		props[i].Description, props[i].Unit, props[i].ReportToCloud = "", "", false
	}
	b, err := json.Marshal(struct {
		Config json.RawMessage `json:",omitempty"`
		Props  []twin.Property
	}{s.Config, props})
	if err != nil {
		return nil // it came as JSON, so this does not happen; and if so, the device is only opened again
	}
	return b
}
