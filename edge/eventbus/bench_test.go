package eventbus

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// loop sends one report after the other, each when the former was answered, until next says no, and gives the times
// that the answers took.
func (h *house) loop(name string, next func() bool) []time.Duration {
	base := "$hw/events/device/default/" + name
	in := make(chan struct{}, 1)
	c := h.connectAs(func(o *paho.ClientOptions) {
		o.SetDefaultPublishHandler(func(paho.Client, paho.Message) { in <- struct{}{} })
	}, base+"/twin/update/result")
	var took []time.Duration
	for i := 0; next(); i++ {
		start := time.Now()
		c.c.Publish(base+"/twin/update", 0, false, report("e", "level", strconv.Itoa(i)))
		select {
		case <-in:
		case <-time.After(10 * time.Second):
			h.t.Error("no answer within 10 s")
			return took
		}
		took = append(took, time.Since(start))
	}
	return took
}

func percentiles(b *testing.B, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkReportToResult is one device whose mapper waits for each answer.
func BenchmarkReportToResult(b *testing.B) {
	h := newHouse(b, "lamp")
	took := h.loop("lamp", b.Loop)
	percentiles(b, took)
}

// BenchmarkFiftyDevices is fifty mappers that do so at the same time.
func BenchmarkFiftyDevices(b *testing.B) {
	const n = 50
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("lamp%d", i))
	}
	h := newHouse(b, names...)
	var mu sync.Mutex
	var all []time.Duration
	left := b.N
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		return left >= 0
	}
	start := time.Now()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			took := h.loop(name, next)
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.ReportMetric(float64(len(all))/time.Since(start).Seconds(), "reports/s")
	percentiles(b, all)
}

// BenchmarkBurst is one mapper that waits for nothing and listens to everything.
func BenchmarkBurst(b *testing.B) {
	h := newHouse(b, "lamp")
	h.annotate("lamp", map[string]string{"settle": "10m"})
	c := h.connect(two + "/twin/update/+")
	go func() {
		for i := range b.N {
			c.c.Publish(two+"/twin/update", 0, false, report("e", "level", strconv.Itoa(i)))
		}
	}()
	for range b.N {
		c.next(topic.TwinUpdateResult)
	}
}

// BenchmarkWishToDelta is the way of a wish of another rim to a mapper.
func BenchmarkWishToDelta(b *testing.B) {
	h := newHouse(b, "lamp")
	c := h.connect(two + "/twin/update/delta")
	var took []time.Duration
	on := false
	for b.Loop() {
		start := time.Now()
		on = !on
		h.wish("lamp", "on", twin.BoolValue(on))
		c.next(topic.TwinDelta)
		took = append(took, time.Since(start))
	}
	percentiles(b, took)
}
