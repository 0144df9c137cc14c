package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tmpfsMagic = 0x01021994 // statfs(2)
	syncRounds = 300
	syncSize   = 4096
)

// machine is what a time has to be read beside.
type machine struct {
	cores          int
	processor      string
	kernel, system string
	load           string
	syncs          times
}

func cores() int { return runtime.NumCPU() }

// onDisk refuses a folder that is in memory, where a sync costs nothing.
func onDisk(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if fs.Type == tmpfsMagic {
		return fmt.Errorf("%s is in memory: name a folder on a disk with -disk", dir)
	}
	return nil
}

func lookAtMachine(dir string) (*machine, error) {
	m := &machine{cores: cores(), processor: "unknown processor", system: runtime.GOARCH}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, err
	}
	m.kernel = unix.ByteSliceToString(u.Release[:])
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.processor = after(string(text), "model name", m.processor)
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		m.system = strings.Trim(after(string(text), "PRETTY_NAME", m.system), `"`)
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load, _, _ = strings.Cut(string(text), " ")
	}
	var err error
	m.syncs, err = timeSyncs(filepath.Join(dir, "sync"))
	return m, err
}

// after gives what stands behind a word and a sign on its line.
func after(text, word, otherwise string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimLeft(strings.TrimSpace(rest), ":= \t")
		}
	}
	return otherwise
}

// timeSyncs writes a page over and over and waits each time until the disk has it, as the store does.
func timeSyncs(path string) (took times, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	page := make([]byte, syncSize)
	for i := range syncRounds {
		page[0] = byte(i)
		start := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

func (m *machine) String() string {
	return fmt.Sprintf("%s, %d x %s, %s, Linux %s, %s; load at the start %s.\nfdatasync of 4 KiB: p50 %s ms, p99 %s ms.\n",
		time.Now().Format(time.DateOnly), m.cores, m.processor, m.system, m.kernel, runtime.Version(), m.load,
		number(millis(m.syncs.p(50))), number(millis(m.syncs.p(99))))
}
