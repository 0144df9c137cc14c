package api_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbridge/twin"
)

// BenchmarkPatch measures wishes over loopback, by so many askers at once, each for devices of its own: from the request to
// the answer that the wish is on disk, and who asked with it. The file lies where TMPDIR says.
func BenchmarkPatch(b *testing.B) {
	for _, askers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("askers=%d", askers), func(b *testing.B) {
			h := newHub(b)
			const count = 256
			var devices []twin.Device
			for i := range count {
				devices = append(devices, twin.Device{
					Name: twin.Name{Namespace: "many", Name: fmt.Sprint("d", i)}, Node: "attic", Properties: []twin.Property{{Name: "level", Type: twin.Int}},
				})
			}
			if err := h.reg.Apply(b.Context(), nil, devices); err != nil {
				b.Fatal(err)
			}
			took := make([]time.Duration, b.N)
			next := make(chan int)
			var wg sync.WaitGroup
			b.ResetTimer()
			start := time.Now()
			for range askers {
				wg.Go(func() {
					for i := range next {
						begun := time.Now()
						// A newer wish takes the place of the one before, as the node is away.
						req, err := http.NewRequestWithContext(b.Context(), http.MethodPatch, fmt.Sprintf("%s/v1/devices/many/d%d/expected", h.base, i%count),
							strings.NewReader(fmt.Sprintf(`{"expected":{"level":%d}}`, i)))
						if err != nil {
							b.Error(err)
							return
						}
						req.Header.Set("Content-Type", "application/json")
						req.Header.Set("Authorization", "Bearer "+h.admin)
						res, err := h.client.Do(req)
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil || res.StatusCode != http.StatusAccepted {
							b.Errorf("status %d, %v", res.StatusCode, err)
						}
						res.Body.Close()
						took[i] = time.Since(begun)
					}
				})
			}
			for i := range b.N {
				next <- i
			}
			close(next)
			wg.Wait()
			all := time.Since(start)
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/all.Seconds(), "wishes/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
