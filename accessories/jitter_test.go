package accessories

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"twinbridge/twin"
)

// levels are ranges and steps as devices have them; steps gives how many distances there are between their values.
func levels(rng *rand.Rand) (p string, steps float64) {
	low := []float64{0, 0, 0, 1, 5}[rng.IntN(5)]
	if rng.IntN(2) == 0 {
		high := low + 2 + float64(rng.IntN(400))
		step := []float64{1, 1, 2, 5, 7}[rng.IntN(5)]
		return fmt.Sprintf("int %v..%v /%v", low, high, step), math.Floor((high - low) / step)
	}
	high := low + []float64{1, 10, 99, 100, 255, 1000}[rng.IntN(6)]
	step := []float64{0, 0.01, 0.1, 0.5, 1}[rng.IntN(5)]
	steps = math.Inf(1)
	if step > 0 {
		steps = math.Floor((high-low)/step + 1e-9)
	}
	return fmt.Sprintf("float %v..%v /%v", low, high, step), steps
}

// What a phone wished is what it sees: by itself on a range of enough steps, with its memory on every other.
func TestNoJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	exactly := 0
	for range 200 {
		p, steps := levels(rng)
		r := device(t, "x", "", "on bool; brightness "+p+"; hue int 0..254; sat "+p+"; ct int 2000..6500")
		a := find(t, r)
		if !a.Has(Brightness) {
			continue // a range of 0 and 1
		}
		for _, tr := range []Trait{Brightness, Saturation, Hue, ColourTemperature} {
			low, high, _, ok := a.Range(tr)
			if !ok {
				continue
			}
			var before twin.Value
			for x := low; x <= high; x++ {
				var w Traits
				w.Set(tr, x)
				got, err := a.Wish(nil, w)
				if err != nil {
					t.Fatalf("%s: %s: %v", p, w, err)
				}
				name := a.Property(tr)
				def := r.Property(name)
				if err := def.Check(got[name]); err != nil {
					t.Fatalf("%s: %s: %v", p, w, err)
				}
				if before.Type() != twin.TypeNone && got[name].Number() < before.Number() && tr != ColourTemperature {
					t.Fatalf("%s: %s gives %v, after %v", p, w, got[name], before)
				}
				before = got[name]
				v := viewOf(r, got)
				if like := a.ReadLike(v, &w); like != w {
					t.Fatalf("%s: wished %s, sees %s", p, w, like)
				}
				read := a.Read(v)
				shown, _ := read.Get(tr)
				// The same device value comes of what is read: nothing creeps.
				again, err := a.Wish(nil, read)
				if err != nil || again[name] != got[name] {
					t.Fatalf("%s: %s gives %v, which reads %s, which gives %v, %v", p, w, got[name], read, again[name], err)
				}
				if x > 0 && shown == 0 && tr == Brightness {
					t.Fatalf("%s: %s is off", p, w)
				}
				fine := tr == ColourTemperature || (tr == Brightness || tr == Saturation) && steps >= 100
				if fine && x > 0 {
					exactly++
					if read != w && !(tr == Brightness && def.Min != nil && *def.Min > 1 && *def.Max == 100) {
						t.Fatalf("%s: wished %s, reads %s", p, w, read)
					}
				}
			}
		}
	}
	if exactly < 50_000 {
		t.Errorf("only %d wishes were held to be exact", exactly)
	}
}

// A device that comes as near as its tolerance has done what was wished.
func TestNoJitterWithinTolerance(t *testing.T) {
	r := device(t, "x", "", "on bool; brightness int 0..255 tol=8")
	a := find(t, r)
	w := wish(t, "brightness=37") // 94
	v := viewOf(r, values(t, r, "brightness=100"))
	if got := a.ReadLike(v, &w); got != w {
		t.Errorf("within the tolerance it sees %s", got)
	}
	if got := a.Read(v); got != wish(t, "brightness=39") {
		t.Errorf("who did not wish sees %s", got)
	}
	v = viewOf(r, values(t, r, "brightness=110"))
	if got := a.ReadLike(v, &w); got != wish(t, "brightness=43") {
		t.Errorf("somebody else's wish is shown as %s", got)
	}
}
