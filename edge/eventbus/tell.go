package eventbus

import (
	"slices"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// known is a property as it was last told in a document.
type known struct {
	name       string
	kind       string
	expected   twin.Value
	actual     twin.Value
	expectedAt int64 // ms; when it was first seen, a label
	actualAt   int64
}

// look tells what is new about a device.
func (p *protocol) look(d *device, event string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, err := p.store.Device(d.name)
	if err != nil {
		return // deleted; the watch tells of it
	}
	p.tell(d, &v, event)
}

// tell publishes what differs from what was last told of a device: a document of the properties that changed, then the
// delta if an offer is due. The device is locked.
func (p *protocol) tell(d *device, v *twin.View, event string) {
	now := p.millis()
	if d.uid != v.Device.UID { // another device of that name: nothing was told of it
		d.uid, d.props, d.offerSeq = v.Device.UID, nil, 0
	}
	if changes := d.see(v, now); len(changes) > 0 {
		p.publishAll(d.document, func() []byte {
			doc := topic.Document{EventID: p.event(event), Timestamp: now, Changes: changes}
			return doc.Encode()
		})
	}
	if v.OfferSeq == d.offerSeq || p.hurries(d) {
		return
	}
	d.offerSeq = v.OfferSeq
	m := topic.Delta{Timestamp: now, Twins: make([]topic.Twin, 0, len(v.Props))}
	for i := range v.Props {
		pv := &v.Props[i]
		if pv.Expected.Absent() {
			continue
		}
		m.Twins = append(m.Twins, d.twin(pv, now))
		if pv.Offered {
			d.wish, d.handedAt = pv.Wish, p.now()
			if pv.Restore {
				d.wish = "" // nobody's; what is wished instead does not wait
			}
			m.Wanted = append(m.Wanted, topic.Wanted{Name: pv.Def.Name, Value: pv.Expected.Text()})
		}
	}
	if len(m.Wanted) == 0 {
		return
	}
	p.handed(d.name, m.Wanted)
	p.publishAll(d.delta, func() []byte {
		p.stats.deltas.Add(1)
		m.EventID = p.store.NewID()
		return m.Encode()
	})
}

// publishAll publishes a message on those of the topics that somebody subscribed to. It is made only if it is wanted.
func (p *protocol) publishAll(topics []string, message func() []byte) {
	var payload []byte
	for _, t := range topics {
		if !p.out.wanted(t) {
			continue
		}
		if payload == nil {
			payload = message()
		}
		p.out.publish(t, payload)
	}
}

// see takes over what a device is now, and gives what changed. What an old mapper sees of a change is always the whole
// property: the counter mapper of KubeEdge's examples stops at a document without expected.
func (d *device) see(v *twin.View, now int64) (changes []topic.Change) {
	same := len(d.props) == len(v.Props)
	for i := 0; same && i < len(v.Props); i++ {
		same = d.props[i].name == v.Props[i].Def.Name
	}
	before := d.props
	if !same { // defined anew
		d.props = make([]known, len(v.Props))
		for i := range v.Props {
			name := v.Props[i].Def.Name
			d.props[i] = known{name: name}
			if j := slices.IndexFunc(before, func(k known) bool { return k.name == name }); j >= 0 {
				d.props[i] = before[j]
			}
		}
		for i := range before {
			gone := !slices.ContainsFunc(d.props, func(k known) bool { return k.name == before[i].name })
			if last := before[i].twin(); gone && last != nil {
				changes = append(changes, topic.Change{Name: before[i].name, Last: last})
			}
		}
	}
	for i := range v.Props {
		k, pv := &d.props[i], &v.Props[i]
		k.kind = topic.TypeName(pv.Def.Type)
		last, changed := *k, k.expected != pv.Expected || k.actual != pv.Actual
		if k.expected != pv.Expected {
			k.expected, k.expectedAt = pv.Expected, now
		}
		if k.actual = pv.Actual; !pv.ActualAt.IsZero() {
			k.actualAt = pv.ActualAt.UnixMilli()
		}
		if changed {
			changes = append(changes, topic.Change{Name: k.name, Last: last.twin(), Current: k.twin()})
		}
	}
	return changes
}

// twin gives the property as it was told; nil if nothing is known of it.
func (k *known) twin() *topic.Twin {
	if k.expected.Absent() && k.actual.Absent() {
		return nil
	}
	return &topic.Twin{
		Name: k.name, Expected: value(k.expected, k.expectedAt), Actual: value(k.actual, k.actualAt),
		Optional: true, Type: k.kind,
	}
}

// twin gives a property as it is, with the wish that waits for it.
func (d *device) twin(pv *twin.PropertyView, now int64) topic.Twin {
	t := topic.Twin{
		Name: pv.Def.Name, Expected: value(pv.Expected, d.expectedAt(pv, now)), Optional: true, Type: topic.TypeName(pv.Def.Type),
	}
	if !pv.Actual.Absent() {
		t.Actual = value(pv.Actual, pv.ActualAt.UnixMilli())
	}
	if pv.Wish != "" && t.Expected.Set {
		t.Expected.Wish, t.Expected.HasWish = pv.Wish, true
		if pv.Remaining > 0 {
			t.Expected.RemainingMs = max(pv.Remaining.Milliseconds(), 1)
		}
	}
	return t
}

// expectedAt gives when the expected value was first seen; now if it is seen for the first time.
func (d *device) expectedAt(pv *twin.PropertyView, now int64) int64 {
	for i := range d.props {
		if k := &d.props[i]; k.name == pv.Def.Name && k.expected == pv.Expected {
			return k.expectedAt
		}
	}
	return now
}

func value(v twin.Value, at int64) topic.Value {
	if v.Absent() {
		return topic.Value{}
	}
	return topic.Value{Set: true, Text: v.Text(), Timestamp: at}
}
