package dnssd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRunWithoutInterface: it waits for one, and everything can be called at any time.
func TestRunWithoutInterface(t *testing.T) {
	var log bytes.Buffer
	r, err := New(Config{Interfaces: []string{"none-of-them"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				g, err := r.Register(Service{Instance: fmt.Sprintf("lamp %d", i), Type: "_hap._tcp", Port: 1})
				if err != nil {
					t.Errorf("register: %v", err)
					return
				}
				g.SetTXT([]string{fmt.Sprintf("j=%d", j)})
				if got := g.Name(); got != fmt.Sprintf("lamp %d", i) {
					t.Errorf("name %q", got)
				}
				r.Stats()
				g.Close()
				g.Close()
				g.SetTXT([]string{"late=1"})
				select {
				case <-g.Announced():
					t.Error("announced without an interface")
				default:
				}
			}
		})
	}
	wg.Wait()
	g, err := r.Register(lamp())
	if err != nil {
		t.Fatal(err)
	}
	g.SetTXT([]string{"=bad"})
	if s := r.Stats(); len(s.Services) != 1 || len(s.Links) != 0 || s.Host != r.Host() || s.Sent != 0 {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := r.Run(context.Background()); !errors.Is(err, ErrRunning) {
		t.Errorf("a second run: %v", err)
	}
	if _, err := r.Register(Service{}); err == nil {
		t.Error("an empty service was taken")
	}
	if !strings.Contains(log.String(), "TXT record not taken") {
		t.Errorf("the log does not tell of a bad TXT record: %s", log.String())
	}
}
