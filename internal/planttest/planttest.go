// Package planttest plants faults: it builds a program with places of its sources swapped, to see that checks notice.
// The tests that use it are in a folder two below the root of the module.
package planttest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Swap is one change of a source file, by its path from the root; Old must occur exactly once. Of several in one file,
// each finds what those before it have left.
//
// Swap and Fault are types without a name of their own, so that tables need not name the fields.
type Swap = struct{ File, Old, New string }

// Overlay writes changed sources into dir, and gives the file that go build's flag -overlay wants.
func Overlay(dir string, swaps ...Swap) (string, error) {
	replace := map[string]string{}
	for i, s := range swaps {
		path, err := filepath.Abs(filepath.Join("..", "..", filepath.FromSlash(s.File)))
		if err != nil {
			return "", err
		}
		from := path
		if changed, ok := replace[path]; ok {
			from = changed
		}
		src, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(src), s.Old); n != 1 {
			return "", fmt.Errorf("%s: %q occurs %d times: plant the fault where it belongs now", s.File, s.Old, n)
		}
		replace[path] = filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(replace[path], []byte(strings.Replace(string(src), s.Old, s.New, 1)), 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o600)
}

// Fault is a fault that random histories have to find.
type Fault = struct {
	Name  string
	Check string // which has to notice it; " or " between several
	Swaps []Swap
}

// Histories plants each fault in the package under test and runs its TestHistories with these flags: it has to fail, and
// what it says has to begin with the name of the fault's check.
func Histories(t *testing.T, faults []Fault, flags ...string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("plants faults by building %d programs", len(faults))
	}
	room := make(chan struct{}, 2) // two builds at a time
	var wg sync.WaitGroup
	for _, f := range faults {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			out, err := histories(t, f.Swaps, flags)
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				return
			}
			if out == "" {
				t.Errorf("%s: survived histories with %q; %s must catch it", f.Name, flags, f.Check)
				return
			}
			if got, _, _ := strings.Cut(out, ":"); !slices.Contains(strings.Split(f.Check, " or "), got) {
				t.Errorf("%s: caught by %s, the table names %s", f.Name, out, f.Check)
				return
			}
			t.Logf("%-52s %s", f.Name, out)
		})
	}
	wg.Wait()
}

// said is the line in which a test tells why it failed.
var said = regexp.MustCompile(`(?m)^ +\w+_test\.go:\d+: (.+)$`)

// histories gives what was found, "" if nothing was.
func histories(t *testing.T, swaps []Swap, flags []string) (string, error) {
	dir := t.TempDir()
	overlay, err := Overlay(dir, swaps...)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "histories")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", bin, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with a fault: %w\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), bin, append([]string{"-test.run", "^TestHistories$"}, flags...)...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	if m := said.FindSubmatch(out); m != nil {
		return string(m[1]), nil
	}
	return "", fmt.Errorf("%w: %.2000s", err, out)
}
