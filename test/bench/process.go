package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

const (
	readyTime = 15 * time.Second // for a program to say that it is ready
	endTime   = 10 * time.Second // to end
	keepText  = 64 << 10         // bytes of output that are kept
)

// output keeps the beginning of what a program prints and wakes who waits for it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
	hear    func([]byte) // is told each piece, also of what is not kept; nil: nobody
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hear != nil {
		o.hear(b)
	}
	if room := keepText - o.text.Len(); room > 0 {
		o.text.Write(b[:min(room, len(b))])
		close(o.changed)
		o.changed = make(chan struct{})
	}
	return len(b), nil
}

// listen has f told of each piece from now on; nil ends it. f must be quick.
func (o *output) listen(f func([]byte)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hear = f
}

func (o *output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// process is a program that runs.
type process struct {
	cmd  *exec.Cmd
	out  *output // both streams
	done chan struct{}
	err  error // of Wait, valid after done
}

// launch starts a program. Who starts it ends it with stop or kill.
func launch(program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), out: &output{changed: make(chan struct{})}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	// Of a group of its own, so that Ctrl-C ends it by us and in order; and it dies with us.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = endTime
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// says waits until the output matches and gives the groups.
func (p *process) says(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	late := time.NewTimer(readyTime)
	defer late.Stop()
	for {
		text, changed := p.out.now()
		if m := pattern.FindStringSubmatch(text); m != nil {
			return m, nil
		}
		select {
		case <-changed:
		case <-p.done:
			return nil, fmt.Errorf("%s ended: %w\n%s", p.cmd.Path, p.err, text)
		case <-late.C:
			return nil, fmt.Errorf("%s did not say %q within %v:\n%s", p.cmd.Path, pattern, readyTime, text)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// stop asks the program to end, and makes it if it does not.
func (p *process) stop() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself: %w", p.cmd.Path, p.err)
	default:
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(err, p.kill())
	}
	late := time.NewTimer(endTime)
	defer late.Stop()
	select {
	case <-p.done:
		return p.err
	case <-late.C:
		return errors.Join(fmt.Errorf("%s did not end within %v", p.cmd.Path, endTime), p.kill())
	}
}

// kill ends the program without asking.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}
