package accessories

import (
	"errors"
	"math"
	"testing"

	"twinbridge/twin"
)

// Whatever a property says of itself, nothing panics, and what comes of a wish is a value of the property.
func FuzzAccessory(f *testing.F) {
	f.Add("", "state", uint8(1), "", 0.0, 0.0, 0.0, uint8(0), "brightness", 37.0)
	f.Add("", "brightness", uint8(2), "%", 0.0, 254.0, 1.0, uint8(3), "ct", 370.0)
	f.Add("lamp", "level", uint8(3), "", 0.1, 1.0, 0.0, uint8(3), "on", 1.0)
	f.Add("thermostat", "setpoint", uint8(3), "°F", 41.0, 86.0, 0.5, uint8(3), "temperature", 21.5)
	f.Add("blind", "position", uint8(4), "", 1.0, 2.0, 1e-300, uint8(2), "x", 100.0)
	f.Add("colour-temperature-lamp", "ct", uint8(2), "K", 1e-9, 1e308, 7.0, uint8(3), "brightness", 0.0)
	f.Fuzz(func(t *testing.T, kind, name string, typ uint8, unit string, low, high, step float64, has uint8, other string, x float64) {
		p := twin.Property{Name: name, Type: twin.Type(typ), Unit: unit, Step: step}
		if has&1 != 0 {
			p.Min = &low
		}
		if has&2 != 0 {
			p.Max = &high
		}
		if p.Type == twin.String && has&4 != 0 {
			p.Enum = []string{"off", "on", "OPEN", "closed", "LOCK", "unlock", unit}
		}
		if has&8 != 0 {
			p.Access = twin.ReadOnly
		}
		q := twin.Property{Name: other, Type: twin.Float, Access: p.Access, Max: p.Max}
		d := twin.Device{Name: twin.Name{Namespace: "default", Name: "d"}, Definer: twin.DefinedByNode, Properties: []twin.Property{p, q}}
		if kind != "" {
			d.Annotations = map[string]string{"kind": kind}
		}
		r, err := d.Resolve(nil)
		if err != nil {
			return
		}
		a, err := Find(r)
		if err != nil {
			return
		}
		if (a.Kind == None) != (a.Reason != "") || a.Kind == None && len(a.Traits()) > 0 {
			t.Fatalf("kind %q, reason %q, traits %v", a.Kind, a.Reason, a.Traits())
		}
		a.Read(viewOf(r, nil))
		for _, tr := range a.Traits() {
			low, high, _, ok := a.Range(tr)
			if !ok || !finite(low) || !finite(high) || low >= high {
				t.Fatalf("range of %s: %v to %v", tr, low, high)
			}
			for _, x := range []float64{x, low, high, math.Floor((low + high) / 2)} {
				var w Traits
				w.Set(tr, x)
				got, err := a.Wish(nil, w)
				if err != nil {
					var fe *twin.FieldError
					if !errors.As(err, &fe) {
						t.Fatalf("%s: %v", w, err)
					}
					continue
				}
				for n, v := range got {
					if err := r.Property(n).Check(v); err != nil {
						t.Fatalf("%s: %v", w, err)
					}
				}
				v := viewOf(r, got)
				read := a.ReadLike(v, &w)
				y, ok := read.Get(tr)
				if !ok {
					t.Fatalf("%s: nothing is read", w)
				}
				if y != x && a.binding(tr).gradual() && !a.binding(tr).derived {
					t.Fatalf("wished %s, sees %s", w, read)
				}
			}
		}
	})
}
