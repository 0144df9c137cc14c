package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build builds the program into a file, as `make build` does but for the flags. dir is the root of the module.
func Build(ctx context.Context, dir, file string, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", file}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/twinbridge")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if slices.Contains(flags, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program under test: %w\n%s", err, text)
	}
	return nil
}

// Output collects what a process prints, wakes who waits for a line of it, and tells each whole line to OnLine.
type Output struct {
	OnLine func(at time.Time, line string) // may be nil; set before the process starts

	mu      sync.Mutex
	text    bytes.Buffer
	begun   int // where the line begins that is not whole yet
	changed chan struct{}
}

// NewOutput makes an output.
func NewOutput() *Output { return &Output{changed: make(chan struct{})} }

// Write implements [io.Writer].
func (o *Output) Write(b []byte) (int, error) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	o.text.Write(b) // never fails (bytes)
	if o.OnLine == nil {
		return len(b), nil
	}
	for {
		rest := o.text.Bytes()[o.begun:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		o.OnLine(now, string(rest[:i]))
		o.begun += i + 1
	}
}

func (o *Output) String() string {
	text, _ := o.now()
	return text
}

func (o *Output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// Process is a running program.
type Process struct {
	t              testing.TB
	cmd            *exec.Cmd
	Stdout, Stderr *Output
	done           chan struct{} // closed when it has ended
	err            error         // of Wait, valid after done
}

// Start runs a program. The end of the test kills it; what it printed is shown if the test failed.
func Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	return StartInto(t, NewOutput(), name, args...)
}

// StartInto is Start with an output that somebody listens to.
func StartInto(t testing.TB, stdout *Output, name string, args ...string) *Process {
	t.Helper()
	return StartTalk(t, nil, stdout, name, args...)
}

// StartTalk is StartInto with something that the program reads; nil for nothing.
func StartTalk(t testing.TB, stdin *os.File, stdout *Output, name string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(name, args...), Stdout: stdout, Stderr: NewOutput(), done: make(chan struct{})}
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	p.cmd.Stdout, p.cmd.Stderr = p.Stdout, p.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = 5 * time.Second
	started := make(chan error)
	go func() {
		// The kernel's "parent" is the thread that started it; this one stays until the process has ended.
		lockThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.Kill()
		for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(p.Stderr.String(), sign) {
				t.Errorf("%s %q: %s", name, args, sign)
			}
		}
		if t.Failed() {
			t.Logf("%s %q printed:\n%s%s", name, args, tail(p.Stdout.String()), tail(p.Stderr.String()))
		}
	})
	return p
}

// tail keeps a log of a failed test readable.
func tail(s string) string {
	const most = 16 << 10
	if len(s) <= most {
		return s
	}
	return "...\n" + s[len(s)-most:]
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the process and what it started, without asking.
func (p *Process) Kill() {
	select {
	case <-p.done:
		return
	default:
	}
	// The process is not reaped before done is closed, so its number is still its own.
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Logf("kill %s: %v", p.cmd.Path, err)
	}
	<-p.done
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v to %s: %v", s, p.cmd.Path, err)
	}
}

// Stop asks the process to end and gives its exit status.
func (p *Process) Stop(limit time.Duration) int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait(limit)
}

// Wait gives the exit status of a process that ends by itself.
func (p *Process) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("%s still runs after %v", p.cmd.Path, limit)
		return -1
	}
}

// Expect waits until the output matches and gives the match and its groups.
func (p *Process) Expect(o *Output, pattern string, limit time.Duration) []string {
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

// Result is what became of a program that ran to its end.
type Result struct {
	Out, Err string
	Code     int
}

func (r Result) String() string {
	return fmt.Sprintf("exit %d, stdout %q, stderr %q", r.Code, r.Out, r.Err)
}

// Command runs a program to its end, at most a minute.
func Command(t testing.TB, stdin, name string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s %q: %v", name, args, err)
	}
	return Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Need makes sure that programs which do not belong to this project are there. Where nobody promised that they are, the
// test is left out.
func Need(t testing.TB, programs ...string) {
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

// Eventually waits until ok, and fails with what it last said if that takes too long.
func Eventually(t testing.TB, limit time.Duration, ok func() (bool, string)) {
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

// Never makes sure that nothing happens for a while.
func Never(t testing.TB, span time.Duration, happened func() (bool, string)) {
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

// WriteFile writes a file and the folders above it.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
