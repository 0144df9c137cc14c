package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output collects what a process prints and wakes who waits for a line of it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) String() string {
	text, _ := o.now()
	return text
}

func (o *output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// process is a running program.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	done   chan struct{} // closed when it has ended
	err    error         // of Wait, valid after done
}

// start runs a program. The end of the test kills it, and its output is shown if the test failed.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return startIn(t, "", name, args...)
}

// startIn is start with a folder to run in.
func startIn(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(name, args...), stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.stdout, p.stderr
	// A group of its own: a script ends together with what it started.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(p.stderr.String(), sign) {
				t.Errorf("%s %q: %s", name, args, sign)
			}
		}
		if t.Failed() {
			t.Logf("%s %q printed:\n%s%s", name, args, p.stdout, p.stderr)
		}
	})
	return p
}

// kill ends the process and what it started, without asking.
func (p *process) kill() {
	select {
	case <-p.done:
		return
	default:
	}
	// The process is not reaped before done is closed, so its number is still its own.
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Logf("kill %s: %v", p.cmd.Path, err)
	}
	<-p.done
}

// signal asks the process to end and gives its exit status.
func (p *process) signal(s syscall.Signal, limit time.Duration) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
	return p.wait(limit)
}

// wait gives the exit status of a process that ends by itself.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("%s still runs after %v", p.cmd.Path, limit)
		return -1
	}
}

// expect waits until the output matches and gives the match and its groups.
func (p *process) expect(o *output, pattern string, limit time.Duration) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(limit)
	for {
		text, changed := o.now()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-changed:
		case <-p.done:
			if m := re.FindStringSubmatch(o.String()); m != nil {
				return m
			}
			p.t.Fatalf("%s ended (%v) without printing %q", p.cmd.Path, p.err, pattern)
		case <-late:
			p.t.Fatalf("%s did not print %q within %v", p.cmd.Path, pattern, limit)
		}
	}
}

// result is what became of a program that ran to its end.
type result struct {
	out, err string
	code     int
}

func (r result) String() string {
	return fmt.Sprintf("exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
}

// command runs a program to its end, at most 30 s.
func command(t *testing.T, name string, args ...string) result {
	t.Helper()
	return commandIn(t, "", "", name, args...)
}

// commandIn is command with a folder to run in and something to read; "" for neither.
func commandIn(t *testing.T, dir, stdin, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Stdin = bytes.NewReader([]byte(stdin))
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s %q: %v", name, args, err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}
