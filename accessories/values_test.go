package accessories

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"twinbridge/twin"
)

// viewOf gives a view in which every property was reported as told, by name.
func viewOf(r *twin.Resolved, actual map[string]twin.Value) *twin.View {
	v := &twin.View{Device: r, Presence: twin.Online, Props: make([]twin.PropertyView, len(r.Props))}
	for i := range r.Props {
		v.Props[i] = twin.PropertyView{Def: &r.Props[i], Actual: actual[r.Props[i].Name]}
	}
	return v
}

// values reads "property=value" pairs.
func values(t testing.TB, r *twin.Resolved, text string) map[string]twin.Value {
	t.Helper()
	out := map[string]twin.Value{}
	for _, kv := range strings.Fields(text) {
		k, s, _ := strings.Cut(kv, "=")
		v, err := r.Property(k).Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		out[k] = v
	}
	return out
}

// wish reads "trait=value" pairs with commas between them.
func wish(t testing.TB, text string) (out Traits) {
	t.Helper()
	for _, kv := range strings.Split(text, ",") {
		k, s, ok := strings.Cut(strings.TrimSpace(kv), "=")
		if !ok {
			continue
		}
		found := false
		for i, n := range traitNames {
			if n == k {
				v, err := twin.ParseText(twin.Float, s)
				if err != nil {
					t.Fatal(err)
				}
				out.Set(Trait(i), v.Number())
				found = true
			}
		}
		if !found {
			t.Fatalf("trait %q", k)
		}
	}
	return out
}

func text(values map[string]twin.Value, r *twin.Resolved) string {
	var parts []string
	for i := range r.Props {
		if v, ok := values[r.Props[i].Name]; ok {
			parts = append(parts, r.Props[i].Name+"="+v.Text())
		}
	}
	return strings.Join(parts, " ")
}

func TestReadAndWish(t *testing.T) {
	tests := []struct{ name, kind, props, wish, want, read string }{
		{"a relay on", "", "powerstatus string", "on=1", "powerstatus=ON", "on 1"},
		{"a relay off", "", "powerstatus string", "on=0", "powerstatus=OFF", "on 0"},
		{"small words", "", "state string enum=auto,off,on", "on=1", "state=on", "on 1"},
		{"words of numbers", "", "switch string enum=0,1", "on=1", "switch=1", "on 1"},
		{"true and false", "", "on bool", "on=1", "on=true", "on 1"},
		{"1 and 0", "", "switch int", "on=1", "switch=1", "on 1"},
		{"a valve", "outlet", "valve string enum=close,open", "on=1", "valve=open", "on 1"},
		{"on and level", "", "state bool; brightness int 0..254", "on=1,brightness=37", "state=true brightness=94", "on 1, brightness 37"},
		{"1 %", "", "state bool; brightness int 0..255", "brightness=1", "brightness=3", "brightness 1"},
		{"1 % of ten steps", "", "state bool; brightness int 0..10", "brightness=1", "brightness=1", "brightness 10"},
		{"0 %", "", "state bool; brightness int 0..10", "brightness=0", "brightness=0", "brightness 0"},
		{"100 % of steps that do not end at the end", "", "state bool; brightness int 0..255 /10", "brightness=100", "brightness=250", "brightness 100"},
		{"a range that begins at 1", "", "state bool; brightness int 1..254", "brightness=1", "brightness=1", "brightness 1"},
		{"a range that begins at 10 %", "", "state bool; brightness int 10..100", "brightness=5", "brightness=10", "brightness 10"},
		{"a share", "", "state bool; brightness float 0..1", "brightness=37", "brightness=0.37", "brightness 37"},
		{"a share in steps", "", "state bool; brightness float 0..1 /0.01", "brightness=29", "brightness=0.29", "brightness 29"},
		{"level off", "", "brightness int 0..255", "on=0", "brightness=0", "on 0, brightness 0"},
		{"level on", "", "brightness int 0..255", "on=1", "brightness=255", "on 1, brightness 100"},
		{"level on at", "", "brightness int 0..255", "on=1,brightness=50", "brightness=128", "on 1, brightness 50"},
		{"level off at", "", "brightness int 0..255", "on=0,brightness=50", "brightness=0", "on 0, brightness 0"},
		{"level on at 0 %", "", "brightness int 0..255", "on=1,brightness=0", "brightness=3", "on 1, brightness 1"},
		{"mired", "", "on bool; brightness int; ct int 153..500", "colour temperature=370", "ct=370", "colour temperature 370"},
		{"kelvin", "", "on bool; brightness int; ct int 2000..6500", "colour temperature=370", "ct=2703", "colour temperature 370"},
		{"kelvin in steps", "", "on bool; brightness int; ct int 2000..6500 /50", "colour temperature=370", "ct=2700", "colour temperature 370"},
		{"colour", "", "on bool; brightness int; hue int 0..360; sat int 0..100", "hue=240,saturation=75", "hue=240 sat=75", "hue 240, saturation 75"},
		{"colour in bytes", "", "on bool; brightness int; hue int 0..254; sat int 0..254", "hue=120,saturation=75", "hue=85 sat=191", "hue 120, saturation 75"},
		{"fan", "", "on bool; fanspeed int 0..3", "fan speed=5", "fanspeed=1", "fan speed 33"},
		{"fan by words", "", "fanspeed string enum=off,low,medium,high", "fan speed=60", "fanspeed=medium", "on 1, fan speed 67"},
		{"fan by words at 1 %", "", "fanspeed string enum=off,low,medium,high", "fan speed=1", "fanspeed=low", "on 1, fan speed 33"},
		{"fan by words on", "", "fanspeed string enum=off,low,medium,high", "on=1", "fanspeed=high", "on 1, fan speed 100"},
		{"fan by words off", "", "fanspeed string enum=off,low,medium,high", "on=0", "fanspeed=off", "on 0, fan speed 0"},
		{"blind", "blind", "position int 0..100", "target position=30", "position=30", "position 30, target position 30"},
		{"blind up and down", "blind", "state string enum=OPEN,CLOSE,STOP", "target position=30", "state=CLOSE", "position 0, target position 0"},
		{"blind, a bit", "blind", "open bool", "target position=60", "open=true", "position 100, target position 100"},
		{"celsius", "thermostat", "temperature float ro; setpoint float 5..30 /0.5", "target temperature=21.5", "setpoint=21.5", "target temperature 21.5"},
		{"fahrenheit", "thermostat", "temperature float ro; setpoint float 40..90 unit=°F", "target temperature=21.5", "setpoint=70.7", "target temperature 21.5"},
		{"mode", "thermostat", "temperature float ro; setpoint float; mode string enum=off,heat,auto", "mode=3", "mode=auto", "mode 3"},
		{"mode of a switch", "thermostat", "temperature float ro; setpoint float; power bool", "mode=1", "power=true", "mode 1"},
		{"lock", "lock", "state string enum=LOCK,UNLOCK", "lock target=1", "state=LOCK", "lock state 1, lock target 1"},
		{"lock, turned", "lock", "unlocked bool", "lock target=1", "unlocked=false", "lock state 1, lock target 1"},
		{"garage door", "garage-door", "door string enum=open,closed", "door target=0", "door=open", "door state 0, door target 0"},
		{"garage door, open", "garage-door", "open bool", "door target=0", "open=true", "door state 0, door target 0"},
		{"garage door, closed", "garage-door", "closed int 0..1", "door target=0", "closed=0", "door state 0, door target 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := device(t, "x", tt.kind, tt.props)
			a := find(t, r)
			got, err := a.Wish(nil, wish(t, tt.wish))
			if err != nil {
				t.Fatal(err)
			}
			if text(got, r) != tt.want {
				t.Errorf("wish %s gives %s, want %s", tt.wish, text(got, r), tt.want)
			}
			for n, v := range got {
				if err := r.Property(n).Check(v); err != nil {
					t.Error(err)
				}
			}
			if read := a.Read(viewOf(r, got)); read.String() != tt.read {
				t.Errorf("%s reads %s, want %s", tt.want, read, tt.read)
			}
		})
	}
}

func TestReadSensors(t *testing.T) {
	tests := []struct{ props, values, want string }{
		{"temperature float ro", "temperature=-12.34", "temperature -12.34"},
		{"temperature int ro unit=°F", "temperature=70", "temperature 21.11"},
		{"temperature float ro unit=K", "temperature=293.15", "temperature 20"},
		{"humidity float ro unit=%", "humidity=43.21", "humidity 43.2"},
		{"humidity float ro 0..1", "humidity=0.43", "humidity 43"},
		{"illuminance float ro unit=klx", "illuminance=1.5", "illuminance 1500"},
		{"contact bool ro", "contact=true", "contact 1"},
		{"door bool ro", "door=true", "contact 0"},
		{"window string ro enum=OPEN,CLOSED", "window=CLOSED", "contact 1"},
		{"motion string ro enum=detected,clear", "motion=detected", "motion 1"},
		{"occupancy int ro 0..5", "occupancy=3", ""},
		{"occupancy int ro 0..1", "occupancy=1", "occupancy 1"},
		{"smoke bool ro", "smoke=false", "smoke 0"},
		{"leak string ro enum=wet,dry", "leak=wet", "leak 1"},
		{"battery int ro", "battery=20", "battery level 20, battery low 1"},
		{"battery int ro 0..200", "battery=50", "battery level 25, battery low 0"},
		{"battery_low bool ro; battery int ro", "battery_low=false battery=3", "battery level 3, battery low 0"},
		{"contact bool ro", "", ""},
	}
	for _, tt := range tests {
		r := device(t, "x", "", tt.props)
		a := find(t, r)
		if got := a.Read(viewOf(r, values(t, r, tt.values))); got.String() != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.props, tt.values, got, tt.want)
		}
	}
}

// What is shown is expected while a wish is pending, else actual; where a blind is, is actual always.
func TestReadPending(t *testing.T) {
	r := device(t, "x", "blind", "position int 0..100")
	a := find(t, r)
	v := viewOf(r, values(t, r, "position=20"))
	v.Props[0].Expected, v.Props[0].Wish = twin.IntValue(80), "w"
	if got := a.Read(v); got != wish(t, "position=20,target position=80") {
		t.Errorf("pending: %s", got)
	}
	v.Props[0].Restore = true
	if got := a.Read(v); got != wish(t, "position=20,target position=20") {
		t.Errorf("being restored: %s", got)
	}
	v.Props[0] = twin.PropertyView{Def: v.Props[0].Def, Expected: twin.IntValue(80)}
	if got := a.Read(v); got != wish(t, "target position=80") {
		t.Errorf("never reported: %s", got)
	}
	if got := a.Read(nil); !got.Empty() {
		t.Errorf("no view: %s", got)
	}
}

// A view may be of a later definition than the accessory.
func TestReadOtherDefinition(t *testing.T) {
	a := find(t, device(t, "x", "", "powerstatus string; brightness int 0..254"))
	r := device(t, "x", "", "note string; brightness int 0..254; powerstatus bool")
	if got := a.Read(viewOf(r, values(t, r, "note=hi brightness=254 powerstatus=true"))); got != wish(t, "brightness=100") {
		t.Errorf("read %s", got)
	}
}

func TestWishRefuses(t *testing.T) {
	const lamp = "state bool; brightness int 0..254; ct int 153..500; hue int; sat int"
	tests := []struct{ kind, props, wish, field, want string }{
		{"", lamp, "", "wish", "a value of at least one trait"},
		{"", lamp, "brightness=101", "brightness", "a number from 0 to 100"},
		{"", lamp, "brightness=-1", "brightness", "a number from 0 to 100"},
		{"", lamp, "on=2", "on", "one of 0, 1"},
		{"", lamp, "on=0.5", "on", "one of 0, 1"},
		{"", lamp, "on=1,colour temperature=140", "colour temperature", "a number from 153 to 500"},
		{"", lamp, "hue=361", "hue", "a number from 0 to 360"},
		{"", lamp, "fan speed=5", "fan speed", "a trait of this colour-lamp"},
		{"", "brightness int 0..255", "on=2", "on", "0 or 1"},
		{"", "brightness int 0..255", "on=0,brightness=101", "brightness", "a number from 0 to 100"},
		{"", "brightness int 0..255", "on=1,brightness=101", "on", "a level that property brightness takes"},
		{"", "temperature float ro", "temperature=20", "temperature", "a trait that can be wished; property temperature is read-only"},
		{"thermostat", "temperature float ro; setpoint float 5..30", "target temperature=31", "target temperature", "a number from 5 to 30"},
		{"thermostat", "temperature float ro; setpoint float", "target temperature=9", "target temperature", "a number from 10 to 38"},
		{"thermostat", "temperature float ro; setpoint float; mode string enum=off,heat", "mode=2", "mode", "one of 0, 1"},
		{"blind", "position int", "position=5", "position", "a trait that can be wished; property position is read-only"},
		{"lock", "state string enum=LOCK,UNLOCK", "lock target=2", "lock target", "one of 0, 1"},
	}
	for _, tt := range tests {
		a := find(t, device(t, "x", tt.kind, tt.props))
		got, err := a.Wish(nil, wish(t, tt.wish))
		var fe *twin.FieldError
		if !errors.As(err, &fe) || got != nil {
			t.Errorf("%s, wish %s: %v, %v", tt.props, tt.wish, got, err)
			continue
		}
		if fe.Field != tt.field || fe.Want != tt.want && !(tt.kind == "blind") {
			t.Errorf("%s, wish %s: %v, want %s: %s", tt.props, tt.wish, err, tt.field, tt.want)
		}
	}
	a := find(t, device(t, "x", "", lamp))
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300, -1e300} {
		for _, tr := range a.Traits() {
			var w Traits
			w.Set(tr, x)
			if got, err := a.Wish(nil, w); err == nil {
				t.Errorf("%s %v gives %v", tr, x, got)
			}
		}
	}
}

// A lamp with a level and no switch keeps its level when it is switched on.
func TestWishOnKeepsLevel(t *testing.T) {
	r := device(t, "x", "", "brightness int 0..255")
	a := find(t, r)
	for shown, want := range map[string]string{"brightness=94": "brightness=94", "brightness=1": "brightness=1", "brightness=0": "brightness=255", "": "brightness=255"} {
		got, err := a.Wish(viewOf(r, values(t, r, shown)), wish(t, "on=1"))
		if err != nil || text(got, r) != want {
			t.Errorf("on at %q gives %s, %v; want %s", shown, text(got, r), err, want)
		}
	}
}

func TestRangeAndChoices(t *testing.T) {
	tests := []struct {
		kind, props string
		trait       Trait
		want        string
	}{
		{"", "on bool; brightness int 0..254", Brightness, "0 100 1 []"},
		{"", "on bool; brightness int 0..254", On, "0 1 1 [0 1]"},
		{"", "brightness int 0..254", On, "0 1 1 [0 1]"},
		{"", "on bool; brightness int; ct int 153..500", ColourTemperature, "153 500 1 []"},
		{"", "on bool; brightness int; ct int 2000..6500", ColourTemperature, "154 500 1 []"},
		{"", "on bool; brightness int; ct int unit=K", ColourTemperature, "154 500 1 []"},
		{"thermostat", "temperature float ro -40..80; setpoint float 5..30 /0.5; mode string enum=auto,off,heat,dry", TargetTemperature, "5 30 0.5 []"},
		{"thermostat", "temperature float ro -40..80; setpoint float 5..30 /0.5; mode string enum=auto,off,heat,dry", Temperature, "-40 80 0.1 []"},
		{"thermostat", "temperature float ro; setpoint float 5..30; mode string enum=auto,off,heat,dry", Mode, "0 3 1 [0 1 3]"},
		{"thermostat", "temperature float ro; setpoint int 41..86 unit=F", TargetTemperature, "5 30 0.1 []"},
		{"lock", "lock bool", LockTarget, "0 1 1 [0 1]"},
		{"blind", "open bool", TargetPosition, "0 100 1 [0 100]"},
		{"", "battery int ro", BatteryLow, "0 1 1 [0 1]"},
	}
	for _, tt := range tests {
		a := find(t, device(t, "x", tt.kind, tt.props))
		low, high, step, ok := a.Range(tt.trait)
		if got := fmt.Sprint(low, high, step, a.Choices(tt.trait)); !ok || got != tt.want {
			t.Errorf("%s: %s is %s, %v; want %s", tt.props, tt.trait, got, ok, tt.want)
		}
	}
	a := find(t, device(t, "x", "", "on bool"))
	if _, _, _, ok := a.Range(Hue); ok || a.Choices(Hue) != nil || a.Has(Trait(200)) || a.Writable(Trait(99)) || a.Property(Hue) != "" {
		t.Error("it has what it does not have")
	}
}

func TestTraits(t *testing.T) {
	var s Traits
	s.Set(Trait(40), 1)
	if !s.Empty() {
		t.Error("it holds a trait that does not exist")
	}
	s.SetBool(On, true)
	s.Set(Brightness, 37)
	if yes, ok := s.Bool(On); !yes || !ok {
		t.Error("on is not kept")
	}
	if _, ok := s.Get(Hue); ok || s.Has(Trait(40)) {
		t.Error("it holds what was not set")
	}
	if got := s.String(); got != "on 1, brightness 37" || Trait(40).String() != "trait(40)" {
		t.Errorf("it prints as %s", got)
	}
}
