package homekit

import (
	"testing"

	"twinbridge/internal/haptest"
)

// BenchmarkPut switches a lamp back and forth over one connection; the twin is asked each time, and no mapper answers.
func BenchmarkPut(b *testing.B) {
	h := newHome(b, "kitchen")
	p := h.pair()
	c := p.dial()
	on := p.ids(c, typeOn)["kitchen"]
	var requests [2][]byte
	for i, v := range []string{"true", "false"} {
		body, err := haptest.PutBody(0, haptest.Set(on, v))
		if err != nil {
			b.Fatal(err)
		}
		requests[i] = haptest.Request("PUT", "/characteristics", "application/hap+json", body)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		if status, _, err := c.RoundTrip(b.Context(), requests[n%2]); err != nil || status != 204 {
			b.Fatal(status, err)
		}
	}
}
