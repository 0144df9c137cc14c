package database

import (
	"testing"
	"time"
)

func BenchmarkWrite(b *testing.B) {
	h := newHouse(b)
	c := h.Client("a", func(bool) {})
	on, off := []byte(`{"characteristics":[{"aid":2,"iid":9,"value":true}]}`), []byte(`{"characteristics":[{"aid":2,"iid":9,"value":false}]}`)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(on)
		c.Write(off)
		h.lamps[0].writes = h.lamps[0].writes[:0]
	}
}

func BenchmarkAccessories(b *testing.B) {
	set := []Accessory{{AID: 1, Services: []Service{info("Bridge")}}}
	for i := range 149 {
		set = append(set, bulb(uint64(i+2)))
	}
	d, err := New(set, nil, func() time.Duration { return 0 })
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	on := false
	for b.Loop() {
		on = !on
		d.Set(2, nil, Update{IID: 9, Value: Bool(on)})
		d.Accessories()
	}
}
