package deviceapi

import (
	"time"

	"twinbridge/twin"
)

// DeviceOf gives what REST shows of a view.
func DeviceOf(v *twin.View) Device {
	def := v.Device
	d := Device{
		Namespace: def.Name.Namespace, Name: def.Name.Name, Title: def.Policy.Title, Room: def.Policy.Room, UID: def.UID, Node: def.Node,
		Labels: def.Labels, Attributes: def.Policy.Attributes, Presence: string(v.Presence), State: state(v), Rev: v.Rev,
		LastSeen: timeOf(v.LastSeen), NodeAway: timeOf(v.NodeAway), Trouble: v.Trouble,
		Properties: make(map[string]Property, len(v.Props)),
	}
	if !def.Model.IsZero() {
		d.Model = def.Model.String()
	}
	for i := range v.Props {
		d.Properties[v.Props[i].Def.Name] = propertyOf(&v.Props[i])
	}
	return d
}

// timeOf gives a moment as REST shows it, nil if there was none.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

func propertyOf(p *twin.PropertyView) Property {
	def := p.Def
	out := Property{Type: def.Type.String(), Unit: def.Unit, Min: def.Min, Max: def.Max, Step: def.Step, Enum: def.Enum}
	if def.Access == twin.ReadOnly {
		out.Access = def.Access.String()
	}
	if !p.Expected.Absent() {
		out.Expected = &Expected{Value: ScalarOf(p.Expected), Origin: string(p.Origin), Rev: p.Rev}
	}
	if !p.Actual.Absent() {
		out.Actual = &Actual{Value: ScalarOf(p.Actual), At: timeOf(p.ActualAt)}
	}
	if p.Wish != "" {
		out.Wish = &PendingWish{ID: p.Wish, Outcome: string(twin.Pending), Trouble: p.Trouble, Restore: p.Restore}
	}
	return out
}

// WishOf gives what REST shows of a wish.
func WishOf(v *twin.WishView) Wish {
	w := Wish{
		ID: v.ID, Device: v.Device.String(), Expected: make(map[string]Scalar, len(v.Values)), Outcome: string(v.Outcome),
		Reason: v.Reason, Trouble: v.Trouble, By: v.By, Rev: v.Rev,
	}
	for name, value := range v.Values {
		w.Expected[name] = ScalarOf(value)
	}
	return w
}

// state is the mapper's word where it says more than the presence (rule 8: unhealthy and error stay online).
func state(v *twin.View) string {
	switch v.PresenceText {
	case "unhealthy", "error":
		return v.PresenceText
	}
	return ""
}
