package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"twinbridge/internal/planttest"
	"twinbridge/test/world"
)

// TestKillSweep kills the program again and again at random moments while wishes come in, and holds every answer it gave
// in any of its lives against what it says later (rule 11: Durable, Monotone, Told). LONG=1 makes it 200 kills.
func TestKillSweep(t *testing.T) {
	kills := 40
	if long() {
		kills = 200
	}
	data := t.TempDir()
	book := sweep(t, built.Path(t), data, kills)
	for _, f := range book.faults {
		t.Error(f)
	}
	if book.promises < kills {
		t.Errorf("only %d promises in %d lives: the sweep did not test what it should", book.promises, kills)
	}
	t.Logf("%d kills, %d wishes told, %d promises, %d decisions seen", kills, len(book.told), book.promises, len(book.decisions))

	// After all that it still comes to rest.
	h := startEdge(t, data, nil)
	for _, name := range swept[:3] {
		world.Eventually(t, 5*time.Second, func() (bool, string) {
			d, err := h.api.Device(t.Context(), name)
			if err != nil {
				return false, err.Error()
			}
			return d.Properties["count"].Wish == nil && d.Expected("count") == d.Actual("count"), d.String()
		})
	}
}

// TestKillSweepFinds: a program that tells decisions before they are on disk does not survive the sweep.
func TestKillSweepFinds(t *testing.T) {
	dir := t.TempDir()
	overlay, err := planttest.Overlay(dir, planttest.Swap{File: "twin/view.go", Old: "if rev > n.durable {", New: "if rev > n.durable+1<<40 {"})
	if err != nil {
		t.Fatal(err)
	}
	planted := filepath.Join(dir, "twinbridge")
	if err := world.Build(t.Context(), world.Root(), planted, "-overlay", overlay); err != nil {
		t.Fatal(err)
	}
	book := sweep(t, planted, t.TempDir(), 100)
	if len(book.faults) == 0 {
		t.Errorf("100 kills and %d promises showed nothing", book.promises)
	}
}

// swept are the devices of a sweep: those of "nobody" have no mapper, so that their wishes stay pending.
var swept = []string{"counter-0", "counter-1", "counter-2", "nobody-0", "nobody-1"}

// sweep kills a program as often as told, or until it has contradicted itself.
func sweep(t *testing.T, program, data string, kills int) *ledger {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed) // of the moments; what the program does at them is its own
	rng := rand.New(rand.NewPCG(seed, 0))
	writeConfig(t, data, freePort)
	writeManifest(t, data, "sweep.yaml", counterManifest(swept))
	book := newLedger()

	for kill := range kills + 1 {
		h := readyEdge(t, world.Start(t, program, "edge", "--data", data), data)
		checkAfterCrash(t, h.api, book)
		if len(book.faults) > 0 || kill == kills {
			h.Kill()
			return book
		}

		ctx, cancel := context.WithCancel(t.Context())
		var load sync.WaitGroup
		for _, name := range swept {
			load.Go(func() { wishes(ctx, h.api, name, kill*1_000_000, book) })
		}
		// From the first wishes to well within the steady state; some kills come in the middle of the first commit.
		<-time.After(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
		h.Kill()
		cancel()
		load.Wait()

		// Now and then the next life ends while it starts.
		if rng.IntN(4) == 0 {
			p := world.Start(t, program, "edge", "--data", data)
			<-time.After(time.Duration(rng.Int64N(int64(60 * time.Millisecond))))
			p.Kill()
		}
	}
	return book
}

// wishes sends one wish after the other to one device until the program is gone.
func wishes(ctx context.Context, a *world.API, name string, first int, book *ledger) {
	for i := first; ; i++ {
		book.sending(name, float64(i))
		query := "?wait=2s"
		if i%3 == 0 || name[0] == 'n' { // nobody's devices answer no wish
			query = ""
		}
		status, w, err := a.Patch(ctx, name, query, fmt.Sprintf(`{"expected":{"count":%d}}`, i))
		if err != nil {
			return
		}
		switch status {
		case http.StatusOK, http.StatusAccepted, http.StatusConflict:
			book.answered(name, float64(i), w)
		default:
			book.broken("PATCH %s answered %d: %+v", name, status, w)
			return
		}
		switch i % 4 {
		case 0:
			d, err := a.Device(ctx, name)
			if err != nil {
				return
			}
			book.seen(d)
		case 2: // ask until it is on disk
			for w.Rev == 0 {
				if _, err := a.Do(ctx, http.MethodGet, "/v1/wishes/"+w.ID, "", &w); err != nil {
					return
				}
			}
			book.answered(name, float64(i), w)
		}
	}
}

// checkAfterCrash holds what the program says now against what it promised before.
func checkAfterCrash(t *testing.T, a *world.API, book *ledger) {
	t.Helper()
	for _, name := range swept {
		d, err := a.Device(t.Context(), name)
		if err != nil {
			t.Fatalf("after a crash: %v", err)
		}
		book.afterCrash(d, "count")
		book.seen(d)
		// The last 16 are kept (rule 2); one that was under way at the end of a life may be among them.
		for _, id := range book.recent(name, 12) {
			status, w, err := a.Wish(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if status != http.StatusOK {
				book.broken("wish %s of %s was told with a rev and is gone: status %d; told %+v; the device is %v", id, name, status, book.told[id], d)
				continue
			}
			book.looked(name, w)
		}
	}
}

// counterManifest defines one device for each name: those of "nobody" have no mapper, the others a simulated one.
func counterManifest(names []string) string {
	text := world.ModelManifest("counter", "sim", "{name: count, type: INT, accessMode: ReadWrite}")
	for _, name := range names {
		protocol := "sim"
		if name[0] == 'n' {
			protocol = "other"
		}
		text += world.DeviceManifest(name, "counter", protocol, "properties: [{name: count}]")
	}
	return text
}
