package eventbus

import (
	"context"
	"fmt"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// maxList is the size of a membership message that is left when the next device might not fit, in bytes.
const maxList = topic.MaxPayload - 4<<10

// member gives a device as membership messages show it.
func (d *device) member(v *twin.View, now int64) topic.Device {
	def := v.Device
	m := topic.Device{ID: def.Name, Description: def.Description, Attributes: def.Policy.Attributes, Protocol: def.Driver, Properties: def.Props}
	m.State = string(v.Presence)
	if v.Presence == twin.Online && v.PresenceText != "" {
		m.State = v.PresenceText
	}
	if !v.LastOnline.IsZero() {
		m.LastOnline = v.LastOnline.UTC().Format(time.RFC3339)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range v.Props {
		pv := &v.Props[i]
		t := topic.Twin{Name: pv.Def.Name, Optional: true, Type: topic.TypeName(pv.Def.Type)}
		if t.Expected = value(pv.Expected, d.expectedAt(pv, now)); t.Expected.Set {
			t.ExpectedVersion = &topic.Version{Cloud: int64(v.CloudNumber), Edge: int64(pv.Rev)}
		}
		if !pv.Actual.Absent() {
			t.Actual = value(pv.Actual, pv.ActualAt.UnixMilli())
		}
		m.Twins = append(m.Twins, t)
	}
	return m
}

// membership tells the mappers which devices came and went, in messages of a bounded size.
func (p *protocol) membership(ctx context.Context, added, removed []topic.Device) {
	t := topic.OfNode(topic.MembershipUpdated, p.store.NodeName())
	if len(added)+len(removed) == 0 {
		return
	}
	if !p.out.wanted(t.String()) {
		p.remember(removed)
		return
	}
	send := func(added, removed []topic.Device) {
		m := topic.Membership{EventID: p.store.NewID(), Timestamp: p.millis(), Added: added, Removed: removed}
		b, err := m.Encode()
		if err != nil {
			p.log.Error("announce devices to the mappers", "error", err)
			return
		}
		p.out.publish(t.String(), b)
		p.out.pause(ctx)
	}
	for _, part := range p.parts(removed) {
		send(nil, part)
	}
	for _, part := range p.parts(added) {
		send(part, nil)
	}
}

// members answers the question for all devices.
func (p *protocol) members(ctx context.Context, t topic.Topic, payload []byte) {
	p.stats.gets.Add(1)
	m, err := topic.DecodeRequest(payload)
	if err != nil {
		p.refuse(t, m.EventID, topic.CodeBad, err)
		return
	}
	if t.Node != p.store.NodeName() {
		err := &twin.FieldError{Field: "node", Value: clip(t.Node, maxReason), Want: p.store.NodeName() + ", this node"}
		p.refuse(t, m.EventID, topic.CodeNotFound, err)
		return
	}
	var all []topic.Device
	for _, n := range p.store.Devices() {
		if v, err := p.store.Device(n); err == nil {
			d := p.find(n).member(&v, p.millis())
			d.Twins = nil // as KubeEdge: twin/get tells them
			all = append(all, d)
		}
	}
	parts := p.parts(all)
	if len(parts) == 0 {
		parts = append(parts, nil)
	}
	for i, part := range parts {
		r := topic.Members{EventID: m.EventID, Timestamp: p.millis(), Devices: part}
		if len(parts) > 1 {
			r.Part, r.Parts = i+1, len(parts)
		}
		p.publishMembers(t, &r)
		p.out.pause(ctx)
	}
}

func (p *protocol) publishMembers(t topic.Topic, m *topic.Members) {
	b, err := m.Encode()
	if err != nil {
		p.log.Error("tell a mapper its devices", "error", err)
		return
	}
	p.out.publish(t.As(topic.MembershipResult).String(), b)
}

// parts cuts a list of devices so that each part fits into a message. A device that is too large for one is told without
// its twins, and if that does not help without what only our mappers know.
func (p *protocol) parts(list []topic.Device) [][]topic.Device {
	var out [][]topic.Device
	var part []topic.Device
	size := 0
	for _, d := range list {
		n, err := sizeOf(&d)
		if err == nil && n > maxList {
			d.Twins = nil
			n, err = sizeOf(&d)
		}
		if err == nil && n > maxList {
			err = fmt.Errorf("%d bytes, at most %d fit into a message", n, maxList)
		}
		if err != nil {
			p.log.Error("a device cannot be described to the mappers", "device", d.ID.String(), "error", err)
			d = topic.Device{ID: d.ID, State: d.State}
			n = maxList / 64 // names are short
		}
		if size+n > maxList && len(part) > 0 {
			out, part, size = append(out, part), nil, 0
		}
		part, size = append(part, d), size+n
	}
	if len(part) > 0 {
		out = append(out, part)
	}
	return out
}

func sizeOf(d *topic.Device) (int, error) {
	m := topic.Membership{Added: []topic.Device{*d}}
	b, err := m.Encode()
	return len(b), err
}
