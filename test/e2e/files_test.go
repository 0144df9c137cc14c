package e2e

import (
	"os"
	"syscall"
	"testing"
)

const interrupt = syscall.SIGINT

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
