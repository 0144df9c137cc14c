package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in /proc/PID/stat; Linux has no other one for programs.
const clockTick = 10 * time.Millisecond

// field reads a number from lines of "name: number", as /proc has them.
func field(text []byte, name string) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name+":")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) == 0 {
			break
		}
		return strconv.ParseInt(words[0], 10, 64)
	}
	return 0, fmt.Errorf("no %s", name)
}

func procFile(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// memory gives what a process holds in memory, in bytes: all of it, and what is not a mapped file.
func memory(pid int) (rss, anon int64, err error) {
	text, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return 0, 0, err
	}
	if rss, err = field(text, "VmRSS"); err != nil {
		return 0, 0, err
	}
	if anon, err = field(text, "RssAnon"); err != nil {
		return 0, 0, err
	}
	return rss << 10, anon << 10, nil
}

// written gives how many bytes went to the disk below a folder since the machine started: those of everybody, the file
// system's journal among them. So it has to be read on a disk that nobody else writes to.
//
// The write_bytes of /proc/PID/io would tell one process from another, but count what becomes dirty in units of the
// kernel's cache: on ext4 with large folios 4 KiB written and synced can count as 256 KiB.
//
// The file system is synced first, so that what it writes half a minute late (times of files, its journal) counts where
// it was caused.
func written(dir string) (int64, error) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(unix.Syncfs(int(f.Fd())), f.Close()); err != nil {
		return 0, fmt.Errorf("sync the disk of %s: %w", dir, err)
	}
	var at unix.Stat_t
	if err := unix.Stat(dir, &at); err != nil {
		return 0, err
	}
	device := fmt.Sprintf("%d:%d", unix.Major(at.Dev), unix.Minor(at.Dev))
	text, err := os.ReadFile(filepath.Join("/sys/dev/block", device, "stat"))
	if err != nil {
		return 0, fmt.Errorf("count the bytes of device %s below %s: %w", device, dir, err)
	}
	return writtenOf(string(text))
}

// sector is the unit of /sys/block/*/stat, whatever that of the device is.
const sector = 512

func writtenOf(stat string) (int64, error) {
	words := strings.Fields(stat)
	if len(words) < 7 {
		return 0, errors.New("the stat of a block device is not what it used to be")
	}
	n, err := strconv.ParseInt(words[6], 10, 64)
	return n * sector, err
}

// cpu gives the processor time that a process used.
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return 0, err
	}
	return cpuOf(string(text))
}

func cpuOf(stat string) (time.Duration, error) {
	// The name of the program is in brackets and may contain anything; behind it come state, ten more, utime, stime.
	i := strings.LastIndexByte(stat, ')')
	words := strings.Fields(stat[i+1:])
	if i < 0 || len(words) < 13 {
		return 0, errors.New("/proc/PID/stat is not what it used to be")
	}
	user, err1 := strconv.ParseInt(words[11], 10, 64)
	system, err2 := strconv.ParseInt(words[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}
