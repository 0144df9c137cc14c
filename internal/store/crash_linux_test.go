package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// The tests of this file run a process of their own under strace, which fails or kills it at a chosen system
// call. Killing shows the order of writes and syncs; it does not show what a power cut leaves of writes not synced.

const (
	childEnv    = "STORE_TEST_CHILD" // the path of the store; set only in the child
	childWrites = 6
)

// TestMain becomes the process that is failed or killed, if it is told to.
func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := beChild(path); err != nil {
			fmt.Println("--- FAIL:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// beChild prints "begun" once, "acked N" for each commit, "failed" for each attempt that was not taken, and "end".
func beChild(path string) error {
	runtime.LockOSThread() // strace counts the system calls of each thread by themselves
	var s *Store
	if err := attempt(func() (err error) { s, err = Open(path, Options{}); return err }); err != nil {
		return err
	}
	fmt.Println("begun")
	for i := 1; i <= childWrites; i++ {
		change := Change{"b", "counter", fmt.Appendf(nil, "%d", i)}
		history := Change{"b", fmt.Sprintf("write%d", i), bytes.Repeat([]byte{'x'}, 3000*i)}
		if err := attempt(func() error { return s.Commit(change, history) }); err != nil {
			return err
		}
		fmt.Println("acked", i)
	}
	if err := s.Close(); err != nil {
		return err
	}
	fmt.Println("end")
	return nil
}

func attempt(f func() error) error {
	err := f()
	for tries := 0; err != nil && tries < 5; tries++ {
		fmt.Println("failed", err)
		err = f()
	}
	return err
}

// child runs the child with an injection, as "fdatasync:error=EIO:when=3". It gives the number acknowledged last, and
// whether the child came to its end and whether something failed on the way.
func child(t *testing.T, path, inject string) (acked int, ended, failed bool) {
	t.Helper()
	call, _, _ := strings.Cut(inject, ":")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-o", filepath.Join(t.TempDir(), "trace"), "-e", "trace="+call,
		"-e", "inject="+inject, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput() // an exit status is what is wanted here
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) || bytes.HasPrefix(out, []byte("strace:")) {
		t.Fatalf("strace does not run: %v\n%s", err, out)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		line := lines.Text()
		if n, ok := strings.CutPrefix(line, "acked "); ok {
			if acked, err = strconv.Atoi(n); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		ended = ended || line == "end"
		failed = failed || strings.HasPrefix(line, "failed ")
	}
	if bytes.Contains(out, []byte("panic:")) || bytes.Contains(out, []byte("fatal error:")) || bytes.Contains(out, []byte("--- FAIL")) {
		t.Errorf("%s: the child ended badly:\n%s", inject, out)
	}
	return acked, ended, failed
}

func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs strace")
	}
}

// verify opens what a child left. All that was acknowledged must be there, each commit whole.
func verify(t *testing.T, path, inject string, acked int) {
	t.Helper()
	s, err := Open(path, quick)
	if err != nil {
		t.Errorf("%s: after %d commits: %v", inject, acked, err)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	got := dump(t, s, "b")
	n := 0
	if v := got["b/counter"]; v != "" {
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	if n < acked || n > acked+1 {
		t.Errorf("%s: %d commits were acknowledged, %d are there", inject, acked, n)
	}
	for i := 1; i <= childWrites; i++ {
		if _, ok := got[fmt.Sprintf("b/write%d", i)]; ok != (i <= n) {
			t.Errorf("%s: of commit %d only half is there", inject, i)
		}
	}
}

// TestKilledAtEachSystemCall kills the process at each system call that changes the disk, from the making of the file on.
func TestKilledAtEachSystemCall(t *testing.T) {
	needStrace(t)
	for _, call := range []string{"fdatasync", "pwrite64", "fsync", "renameat", "/^ftruncate"} {
		kills := 0
		for when := 1; ; when++ {
			inject := fmt.Sprintf("%s:signal=KILL:when=%d", call, when)
			path := filepath.Join(t.TempDir(), "edge.db")
			acked, ended, _ := child(t, path, inject)
			if ended {
				break
			}
			kills++
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && acked > 0 {
				t.Errorf("%s: no file after %d commits", inject, acked)
			}
			verify(t, path, inject, acked)
			if when > 200 {
				t.Fatalf("%s: the child never ends", inject)
			}
			if when > 12 { // the later ones differ little
				when += 3
			}
		}
		t.Logf("%s: killed %d times", call, kills)
		if kills == 0 {
			t.Errorf("%s is never called: the sweep misses what is called instead", call)
		}
	}
}

// TestFailedSync fails each sync once, with an error and with "no space". The store goes on with the file opened anew.
func TestFailedSync(t *testing.T) {
	needStrace(t)
	syncs := 0
	for _, kind := range []string{"EIO", "ENOSPC"} {
		for when := 1; ; when++ {
			inject := fmt.Sprintf("fdatasync:error=%s:when=%d", kind, when)
			path := filepath.Join(t.TempDir(), "edge.db")
			acked, ended, failed := child(t, path, inject)
			if !failed {
				break
			}
			if !ended || acked != childWrites {
				t.Errorf("%s: ended %t with %d commits of %d", inject, ended, acked, childWrites)
			}
			verify(t, path, inject, acked)
			if when > 50 {
				t.Fatal("every sync fails")
			}
			syncs++
		}
	}
	if syncs < 2*2*childWrites { // two syncs a commit
		t.Errorf("only %d syncs were failed", syncs)
	}
}
