package eventbus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// update takes a twin/update: a report, a wish, or both.
func (p *protocol) update(ctx context.Context, from *peer, t topic.Topic, payload []byte) {
	m, err := topic.DecodeUpdate(payload)
	if err == nil {
		err = checkTwins(m.Twins)
	}
	if err != nil {
		p.refuse(t, m.EventID, topic.CodeBad, err)
		return
	}
	v, err := p.store.Device(t.Device)
	if err != nil {
		p.refuse(t, m.EventID, codeOf(err), err)
		return
	}
	reports, wishes := false, false
	for i := range m.Twins {
		reports = reports || m.Twins[i].Actual.Set || m.Twins[i].Error != ""
		wishes = wishes || m.Twins[i].Expected.Set
	}
	from = p.speaker(from, m.Mapper)
	d := p.find(t.Device)
	d.mu.Lock()
	if reports && wishes && (p.crew != nil || d.owner == nil || d.owner.gone.Load() || d.owner == from) {
		wishes = false // a mapper that says what it has been told (rule 5, owner)
	}
	var wait *answer
	if wishes {
		wait = p.wish(from, d, t, &m, v.Device)
	}
	if reports && (!wishes || wait != nil) {
		p.report(from, d, t, &m, v.Device, wait)
	}
	d.mu.Unlock()
	if wait != nil {
		p.answerLater(ctx, wait)
	}
}

// checkTwins refuses what means nothing: the deletion of a property, and a property of which nothing is said.
func checkTwins(list []topic.Twin) error {
	for i := range list {
		switch t := &list[i]; {
		case t.Delete:
			return &twin.FieldError{Field: "twin." + t.Name, Value: "null", Want: "an object; the model's properties cannot be deleted"}
		case !t.Expected.Set && !t.Actual.Set && t.Error == "":
			return &twin.FieldError{Field: "twin." + t.Name, Value: "", Want: `"expected" or "actual" with a "value"`}
		}
	}
	return nil
}

// report hands a mapper's report to the store and answers it. What belongs to the model is taken, what does not is
// named. The device is locked. With wait, the answer is left to the one that waits for the wish of the same message.
func (p *protocol) report(from *peer, d *device, t topic.Topic, m *topic.Update, def *twin.Resolved, wait *answer) {
	p.stats.reports.Add(1)
	r := twin.Report{Props: make(map[string]twin.PropReport, len(m.Twins)), Conn: from.id}
	late := twin.Report{Conn: from.id} // errors beside values: a property can say one of them at a time
	var bad []error
	for i := range m.Twins {
		tw := &m.Twins[i]
		r.Echo = r.Echo || tw.Actual.HasWish || tw.HasWish
		if tw.Error != "" {
			pr := twin.PropReport{Error: clip(tw.Error, maxReason), Wish: tw.Wish}
			if !tw.Actual.Set {
				r.Props[tw.Name] = pr
				continue
			}
			if late.Props == nil {
				late.Props = map[string]twin.PropReport{}
			}
			late.Props[tw.Name] = pr
		}
		if !tw.Actual.Set {
			continue
		}
		pr := twin.PropReport{Wish: tw.Actual.Wish, Act: tw.Actual.Act}
		if prop := def.Property(tw.Name); prop != nil { // the store names those that are not
			var err error
			if pr.Value, err = twin.ParseText(prop.Type, tw.Actual.Text); err != nil {
				bad = append(bad, named(err, tw.Name))
				continue
			}
		}
		r.Props[tw.Name] = pr
	}
	bad = append(bad, p.handIn(d, from, r, def)...)
	if late.Props != nil {
		late.Echo = r.Echo
		bad = append(bad, p.handIn(d, from, late, def)...)
	}
	v, err := p.store.Device(t.Device)
	if err != nil { // deleted a moment ago
		p.refuse(t, m.EventID, codeOf(err), err)
		return
	}
	switch {
	case len(bad) > 0 && wait != nil:
		wait.err = joined(bad)
	case len(bad) > 0:
		p.refuse(t, m.EventID, topic.CodeBad, joined(bad))
	case wait == nil:
		now := p.millis()
		res := topic.Result{EventID: m.EventID, Timestamp: now, Twins: make([]topic.Twin, 0, len(m.Twins))}
		for i := range m.Twins {
			res.Twins = append(res.Twins, taken(&m.Twins[i], def, now, false))
		}
		p.out.publish(t.As(topic.TwinUpdateResult).String(), res.Encode())
	}
	p.tell(d, &v, m.EventID)
}

// handIn gives the store a report and names what it did not take.
func (p *protocol) handIn(d *device, from *peer, r twin.Report, def *twin.Resolved) (bad []error) {
	if len(r.Props) == 0 {
		return nil
	}
	unknown, err := p.store.Report(d.name, r)
	if len(unknown) < len(r.Props) && !errors.Is(err, twin.ErrNotFound) {
		d.owner = from
	}
	if len(unknown) > 0 {
		bad = append(bad, &twin.FieldError{Field: "twin", Value: clip(strings.Join(unknown, ", "), maxReason), Want: "some of " + def.PropertyNames()})
	}
	if err != nil {
		bad = append(bad, err)
	}
	return bad
}

// wish hands a wish to the store. It works at once; the answer waits for the disk (rule 1), and is given to wait for,
// nil if the wish was refused. The device is locked.
func (p *protocol) wish(from *peer, d *device, t topic.Topic, m *topic.Update, def *twin.Resolved) *answer {
	p.stats.wishes.Add(1)
	w := twin.Wish{ID: p.store.NewID(), Asker: from.client, Origin: twin.FromMQTT, Values: make(map[string]twin.Value, len(m.Twins))}
	for i := range m.Twins {
		tw := &m.Twins[i]
		if !tw.Expected.Set {
			continue
		}
		prop := def.Property(tw.Name)
		if prop == nil {
			p.refuse(t, m.EventID, topic.CodeBad, &twin.FieldError{Field: "twin", Value: clip(tw.Name, maxReason), Want: "one of " + def.PropertyNames()})
			return nil
		}
		v, err := prop.Parse(tw.Expected.Text)
		if err != nil {
			p.refuse(t, m.EventID, topic.CodeBad, err)
			return nil
		}
		w.Values[tw.Name] = v
	}
	view, err := p.store.Ask(d.name, w)
	if err != nil {
		var refused *twin.RefusedError
		if errors.As(err, &refused) {
			err = errors.New(refused.Reason)
			p.refuse(t, m.EventID, topic.CodeBad, err)
		} else {
			p.refuse(t, m.EventID, codeOf(err), err)
		}
		return nil
	}
	now := p.millis()
	a := &answer{to: t.As(topic.TwinUpdateResult), rev: view.DecidedRev()}
	a.result = topic.Result{EventID: m.EventID, Timestamp: now}
	for i := range m.Twins {
		tw := taken(&m.Twins[i], def, now, true)
		tw.Expected.Wish, tw.Expected.HasWish = w.ID, tw.Expected.Set
		a.result.Twins = append(a.result.Twins, tw)
	}
	if v, err := p.store.Device(d.name); err == nil {
		p.tell(d, &v, m.EventID)
	}
	return a
}

// taken gives what a result says of a property that was taken.
func taken(in *topic.Twin, def *twin.Resolved, now int64, wish bool) topic.Twin {
	out := topic.Twin{Name: in.Name, Optional: true}
	if prop := def.Property(in.Name); prop != nil {
		out.Type = topic.TypeName(prop.Type)
	}
	if wish && in.Expected.Set {
		out.Expected = topic.Value{Set: true, Text: in.Expected.Text, Timestamp: now}
	}
	if in.Actual.Set {
		out.Actual = topic.Value{Set: true, Text: in.Actual.Text, Timestamp: now}
	}
	if in.Error != "" {
		out.Error, out.Wish, out.HasWish = in.Error, in.Wish, in.HasWish
	}
	return out
}

// named puts the property's name in the place of "value".
func named(err error, name string) error {
	var fe *twin.FieldError
	if errors.As(err, &fe) {
		return &twin.FieldError{Field: name, Value: fe.Value, Want: fe.Want}
	}
	return fmt.Errorf("%s: %w", name, err)
}

const (
	// maxReason bounds what a mapper may say of an error, in bytes; it is kept with the wish and shown to people.
	maxReason = 256
	// maxAnswerReason bounds the reason in an answer.
	maxAnswerReason = 1500
)

// clip shortens s at a rune border.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// joined makes one line of several errors.
func joined(list []error) error {
	parts := make([]string, len(list))
	for i, err := range list {
		parts[i] = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return errors.New(strings.Join(parts, "; "))
}
