package world

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Built is the program under test of a package of tests: it is built when it is first asked for, and once.
type Built struct {
	Race bool // with the race detector in it

	once   sync.Once
	folder string
	err    error
}

// Path builds the program if that has not been done, and tells where it lies.
func (b *Built) Path(t testing.TB) string {
	t.Helper()
	b.once.Do(func() {
		if b.folder, b.err = os.MkdirTemp("", "twinbridge-test-"); b.err == nil { //nolint:usetesting // it outlives the test that builds first
			var flags []string
			if b.Race {
				flags = append(flags, "-race")
			}
			b.err = Build(t.Context(), Root(), filepath.Join(b.folder, "twinbridge"), flags...)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.folder, "twinbridge")
}

// Main runs the tests of the package, and takes the program away again. It is for TestMain.
func (b *Built) Main(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(b.folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
