package accessories

import (
	"testing"

	"twinbridge/twin"
)

func BenchmarkReadAndWish(b *testing.B) {
	r := device(b, "x", "", "powerstatus string enum=ON,OFF; brightness int 0..254")
	a := find(b, r)
	v := viewOf(r, map[string]twin.Value{"powerstatus": twin.StringValue("OFF"), "brightness": twin.IntValue(94)})
	w := wish(b, "on=1,brightness=37")
	b.ReportAllocs()
	for b.Loop() {
		shown := a.ReadLike(v, &w)
		if _, err := a.Wish(v, w); err != nil || shown.Empty() {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := device(b, "x", "", "powerstatus string enum=ON,OFF; brightness int 0..254")
	a := find(b, r)
	v := viewOf(r, map[string]twin.Value{"powerstatus": twin.StringValue("OFF"), "brightness": twin.IntValue(94)})
	b.ReportAllocs()
	for b.Loop() {
		if got := a.Read(v); got.Empty() {
			b.Fatal("nothing")
		}
	}
}

func BenchmarkFind(b *testing.B) {
	r := device(b, "x", "", "powerstatus string enum=ON,OFF; brightness int 0..254")
	b.ReportAllocs()
	for b.Loop() {
		find(b, r)
	}
}
