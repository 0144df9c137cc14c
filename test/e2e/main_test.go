// Package e2e drives the real binary as people do: with its command line, with curl, with Mosquitto's clients and with
// signals. It builds the binary once, starts it on free ports with data folders of its own, and looks at what it prints
// and answers. Nothing of the product is linked into these tests.
package e2e

import (
	"os"
	"testing"

	"twinbridge/test/world"
)

// built is the program under test.
var built = world.Built{Race: long()}

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each end of a program with the race detector takes a second more
	built.Main(m)
}

// long reports whether somebody has time: more kills, and a program with the race detector in it.
func long() bool { return os.Getenv("LONG") != "" }
