// Package e2e drives the real binary as people do: with its command line, with curl, with Mosquitto's clients and with
// signals. It builds the binary once, starts it on free ports with data folders of its own, and looks at what it prints
// and answers. Nothing of the product is linked into these tests.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// binary is the program under test, built by TestMain as `make build` does.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "twinbridge-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "twinbridge")

	var flags []string
	if long() {
		flags = append(flags, "-race")
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else each end takes a second more
	}
	if err := build(context.Background(), binary, flags...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// long reports whether somebody has time: more kills, and a program with the race detector in it.
func long() bool { return os.Getenv("LONG") != "" }

// build builds the program as `make build` does, but for the flags.
func build(ctx context.Context, file string, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", file}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/twinbridge")...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if slices.Contains(flags, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program under test: %w\n%s", err, text)
	}
	return nil
}

// need makes sure that programs which do not belong to this project are there. Where nobody promised that they are, the
// test is left out.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		} else if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs %s: %v", p, err)
		} else {
			t.Skipf("this test needs %s (make e2e installs it): %v", p, err)
		}
	}
}

// eventually waits until ok, and fails with what it last said if that takes too long.
func eventually(t *testing.T, limit time.Duration, ok func() (bool, string)) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		good, got := ok()
		if good {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, got)
		case <-tick.C:
		}
	}
}

// never makes sure that nothing happens for a while.
func never(t *testing.T, span time.Duration, happened func() (bool, string)) {
	t.Helper()
	end := time.NewTimer(span)
	defer end.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if bad, got := happened(); bad {
			t.Fatalf("within %v: %s", span, got)
		}
		select {
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}
