package world

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// StartTime is how long a program may take until it says that it is ready, on a busy machine.
const StartTime = 60 * time.Second

// Party is one of the programs of a world, over all its lives.
type Party struct {
	*Process
	Data   string // its folder
	OnLine func(at time.Time, line string)
	Prefix []string // goes before the program: a namespace, a small disk
	Env    []string

	t     testing.TB
	args  []string
	ready string
	logs  bool // it says on standard error that it is ready
	// ownDisk: its folder is seen by itself only.
	ownDisk bool
}

// Start starts the program and waits until it is ready.
func (p *Party) Start() {
	p.t.Helper()
	p.Begin()
	out := p.Stdout
	if p.logs {
		out = p.Stderr
	}
	p.Expect(out, p.ready, StartTime)
}

// Begin starts the program and waits for nothing.
func (p *Party) Begin() {
	p.t.Helper()
	out := NewOutput()
	out.OnLine = p.OnLine
	words := append(append([]string{}, p.Prefix...), p.args...)
	p.Process = StartInto(p.t, out, words[0], words[1:]...)
}

// End asks the program to end, and waits for it.
func (p *Party) End() {
	p.t.Helper()
	if code := p.Stop(30 * time.Second); code != 0 {
		p.t.Errorf("%q ended with status %d", p.args, code)
	}
}

// Store is the path of a file in its folder, as it is seen from here: of a disk of its own while it runs.
func (p *Party) Store(name string) string {
	if p.ownDisk && p.Process != nil {
		return filepath.Join(fmt.Sprintf("/proc/%d/root", p.PID()), p.Data, name)
	}
	return filepath.Join(p.Data, name)
}

// Copy reads a store while its program does not run.
func (p *Party) Copy(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(p.Store(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// PutBack puts a store in the place of the one that is there; nil takes it away.
func (p *Party) PutBack(name string, b []byte) {
	p.t.Helper()
	err := os.Remove(p.Store(name))
	if b != nil {
		err = os.WriteFile(p.Store(name), b, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// CopyFolder copies a data folder to a new one, without its sockets.
func (p *Party) CopyFolder() string {
	p.t.Helper()
	to := p.t.TempDir()
	err := filepath.WalkDir(p.Data, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.Data, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return to
}
