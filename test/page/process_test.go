package page

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a running edge or hub.
type process struct {
	cmd     *exec.Cmd
	data    string
	drained chan struct{}

	url, code string // of its page, as a person reads them
	secure    string // of a hub
}

var (
	banner = regexp.MustCompile(`^page (http://127\.0\.0\.1:\d+)/  \(code ([0-9A-Z]{4}-[0-9A-Z]{4})\)$`)
	ready  = regexp.MustCompile(`^ready: (?:hub (https://127\.0\.0\.1:\d+))?`)
)

// launch starts the program and waits until it is ready.
func launch(program, command, data string) (*process, error) {
	p := &process{cmd: exec.Command(program, command, "--data", data), data: data, drained: make(chan struct{})}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	there := make(chan struct{})
	go func() {
		defer close(p.drained)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := banner.FindStringSubmatch(lines.Text()); m != nil {
				p.url, p.code = m[1], m[2]
			}
			if m := ready.FindStringSubmatch(lines.Text()); m != nil {
				p.secure = m[1]
				close(there)
			}
		}
	}()
	select {
	case <-there:
		if p.url == "" {
			return nil, errors.Join(errors.New("it printed no page"), p.end(syscall.SIGTERM))
		}
		return p, nil
	case <-p.drained:
		return nil, fmt.Errorf("%s ended: %w", command, p.cmd.Wait())
	case <-time.After(60 * time.Second):
		return nil, errors.Join(errors.New("it is not ready after 60 s"), p.end(syscall.SIGTERM))
	}
}

// end ends it and waits; it is an error if it was not asked to die and says that something went wrong.
func (p *process) end(sig syscall.Signal) error {
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // a check may have left it stopped; gone is as good
	_ = p.cmd.Process.Signal(sig)
	<-p.drained
	if err := p.cmd.Wait(); sig != syscall.SIGKILL {
		return err
	}
	return nil
}

// begin launches the program for as long as the test runs.
func begin(t *testing.T, program, command, data string) *process {
	t.Helper()
	p, err := launch(program, command, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(syscall.SIGTERM); err != nil {
			t.Errorf("the end of the %s: %v", command, err)
		}
	})
	return p
}

func (p *process) house() house {
	socket := "edge.sock"
	if p.secure != "" {
		socket = "hub.sock"
	}
	return house{URL: p.url, Code: p.code, Socket: filepath.Join(p.data, socket), Pid: p.cmd.Process.Pid, Secure: p.secure}
}

// output runs a command that ends by itself, and gives what it printed.
func output(t *testing.T, in, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(in)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, errs.String())
	}
	return string(out)
}
