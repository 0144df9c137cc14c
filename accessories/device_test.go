package accessories

import (
	"strings"
	"testing"

	"twinbridge/twin"
)

// props reads properties as "name type [ro] [min..max] [/step] [unit=U] [enum=A,B]", separated by semicolons.
func props(t testing.TB, text string) []twin.Property {
	t.Helper()
	var out []twin.Property
	for _, one := range strings.Split(text, ";") {
		f := strings.Fields(one)
		if len(f) < 2 {
			if len(f) == 0 {
				continue
			}
			t.Fatalf("property %q", one)
		}
		p := twin.Property{Name: f[0]}
		if err := p.Type.UnmarshalText([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
		number := func(s string) *float64 {
			v, err := twin.ParseText(twin.Float, s)
			if err != nil {
				t.Fatal(err)
			}
			n := v.Number()
			return &n
		}
		for _, w := range f[2:] {
			switch {
			case w == "ro":
				p.Access = twin.ReadOnly
			case strings.Contains(w, ".."):
				low, high, _ := strings.Cut(w, "..")
				if low != "" {
					p.Min = number(low)
				}
				if high != "" {
					p.Max = number(high)
				}
			case strings.HasPrefix(w, "/"):
				p.Step = *number(w[1:])
			case strings.HasPrefix(w, "unit="):
				p.Unit = strings.ReplaceAll(w[5:], "_", " ")
			case strings.HasPrefix(w, "tol="):
				p.Tolerance = *number(w[4:])
			case strings.HasPrefix(w, "enum="):
				p.Enum = strings.Split(w[5:], ",")
			default:
				t.Fatalf("property %q: %s", one, w)
			}
		}
		out = append(out, p)
	}
	return out
}

// device resolves a device of a model of that name.
func device(t testing.TB, model, kind, properties string) *twin.Resolved {
	t.Helper()
	m := &twin.DeviceModel{Name: twin.Name{Namespace: "default", Name: model}, Properties: props(t, properties)}
	d := &twin.Device{Name: twin.Name{Namespace: "default", Name: "d"}, Definer: twin.DefinedByNode, Model: m.Name}
	if kind != "" {
		d.Annotations = map[string]string{"kind": kind}
	}
	r, err := d.Resolve(m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func find(t testing.TB, r *twin.Resolved) *Accessory {
	t.Helper()
	a, err := Find(r)
	if err != nil {
		t.Fatal(err)
	}
	if (a.Kind == None) == (a.Reason == "") {
		t.Errorf("kind %q with reason %q", a.Kind, a.Reason)
	}
	return &a
}

// brief writes an accessory as "kind+sensor: trait=property, ...".
func brief(a *Accessory) string {
	if a.Kind == None {
		return "none"
	}
	out := string(a.Kind)
	for _, s := range a.Sensors {
		out += "+" + string(s)
	}
	for i, t := range a.Traits() {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		out += sep + t.String() + "=" + a.Property(t)
		if !a.Writable(t) {
			out += "(ro)"
		}
	}
	return out
}
