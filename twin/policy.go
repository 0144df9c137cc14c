package twin

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AnnotationPrefix stands before the key of every annotation of ours in a manifest.
const AnnotationPrefix = "twinbridge.dev/"

// Policy is what annotations say about a device.
type Policy struct {
	Kind          string            // "" : inferred from the properties
	Title         string            // what people see; "" : the device's name
	Room          string            //
	Attributes    map[string]string // static attributes: serial, manufacturer, ...
	Hold          bool              // drift: hold; the device is put back instead of followed (rule 5)
	CloudInsists  bool              // conflict: cloud; every cloud wish insists (rule 4)
	ApplyDeadline time.Duration     // 0: the kind's, else DefaultApplyDeadline
	Settle        time.Duration     // how long a difference must last until it counts as an act of the house
	Expose        []string          // bridges that show the device

	enums      map[string][]string
	tolerances map[string]float64
}

// Durations of rule 2 and rule 5 where nothing else is said, and their bounds.
const (
	DefaultApplyDeadline = 10 * time.Second
	DefaultSettle        = time.Second
	MaxApplyDeadline     = time.Hour
	MaxSettle            = 10 * time.Minute
)

// ParsePolicy reads annotations, keys without [AnnotationPrefix]. Unknown keys are errors that name the nearest one.
func ParsePolicy(notes map[string]string) (Policy, error) {
	p := Policy{Settle: DefaultSettle, Expose: []string{"homekit", "matter"}}
	keys := make([]string, 0, len(notes))
	for k := range notes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := notes[k]
		bad := func(want string) (Policy, error) {
			return Policy{}, &FieldError{Field: "annotation " + AnnotationPrefix + k, Value: clip(v), Want: want}
		}
		base, arg, _ := strings.Cut(k, ".")
		if len(v) > MaxValueLen {
			return bad("at most 4096 bytes")
		}
		if arg == "" && (base == "attribute" || base == "enum" || base == "tolerance") {
			return bad("a name after " + base + ".")
		}
		switch {
		case k == "kind":
			p.Kind = v
		case k == "name":
			p.Title = v
		case k == "room":
			p.Room = v
		case base == "attribute":
			if p.Attributes == nil {
				p.Attributes = map[string]string{}
			}
			p.Attributes[arg] = v
		case base == "enum":
			list := strings.Split(v, ",")
			for i := range list {
				list[i] = strings.TrimSpace(list[i])
				if list[i] == "" || slices.Contains(list[:i], list[i]) {
					return bad("different words with commas between them, as ON,OFF")
				}
			}
			if p.enums == nil {
				p.enums = map[string][]string{}
			}
			p.enums[arg] = list
		case base == "tolerance":
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || !(f >= 0) || f > 1e300 {
				return bad("a number of at least 0")
			}
			if p.tolerances == nil {
				p.tolerances = map[string]float64{}
			}
			p.tolerances[arg] = f
		case k == "drift":
			if v != "follow" && v != "hold" {
				return bad("follow or hold")
			}
			p.Hold = v == "hold"
		case k == "conflict":
			if v != "house" && v != "cloud" {
				return bad("house or cloud")
			}
			p.CloudInsists = v == "cloud"
		case k == "apply-deadline":
			d, err := time.ParseDuration(v)
			if err != nil || d <= 0 || d > MaxApplyDeadline {
				return bad("a duration up to 1h, as 10s")
			}
			p.ApplyDeadline = d
		case k == "settle":
			d, err := time.ParseDuration(v)
			if err != nil || d < 0 || d > MaxSettle {
				return bad("a duration up to 10m, as 1s")
			}
			p.Settle = d
		case k == "expose":
			p.Expose = nil
			if v == "none" {
				break
			}
			for _, e := range strings.Split(v, ",") {
				e = strings.TrimSpace(e)
				if e != "homekit" && e != "matter" {
					return bad("homekit, matter, both with a comma, or none")
				}
				p.Expose = append(p.Expose, e)
			}
		default:
			return bad("no such annotation; the nearest known is " + AnnotationPrefix + nearest(k))
		}
	}
	if p.Kind == "lock" || p.Kind == "garage-door" {
		p.Hold = true // rule 10: they never follow
	}
	return p, nil
}

var annotationKeys = []string{
	"kind", "name", "room", "attribute.", "enum.", "tolerance.", "drift", "conflict",
	"apply-deadline", "settle", "expose",
}

func nearest(key string) string {
	return slices.MinFunc(annotationKeys, func(a, b string) int { return cmp.Compare(distance(key, a), distance(key, b)) })
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, prev+1)
		}
	}
	return row[len(b)]
}

// refine adds what annotations say to a property. A string property named powerstatus, power-status or power has ON
// and OFF without saying so.
func (p *Policy) refine(prop *Property) error {
	if list, ok := p.enums[prop.Name]; ok {
		if prop.Type != String {
			return &FieldError{
				Field: "annotation " + AnnotationPrefix + "enum." + prop.Name, Value: strings.Join(list, ","),
				Want: "a property of type string",
			}
		}
		prop.Enum = list
	}
	if prop.Type == String && len(prop.Enum) == 0 {
		switch prop.Name {
		case "powerstatus", "power-status", "power":
			prop.Enum = []string{"ON", "OFF"}
		}
	}
	if t, ok := p.tolerances[prop.Name]; ok {
		prop.Tolerance = t
	}
	return nil
}

// allKnown reports an enum or tolerance for a property that does not exist.
func (p *Policy) allKnown(props []Property) error {
	known := func(name string) bool {
		return slices.ContainsFunc(props, func(q Property) bool { return q.Name == name })
	}
	for n := range p.enums {
		if !known(n) {
			return &FieldError{Field: "annotation " + AnnotationPrefix + "enum." + n, Value: n, Want: "a property of the device"}
		}
	}
	for n := range p.tolerances {
		if !known(n) {
			return &FieldError{Field: "annotation " + AnnotationPrefix + "tolerance." + n, Value: n, Want: "a property of the device"}
		}
	}
	return nil
}
