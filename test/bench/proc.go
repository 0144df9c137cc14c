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

// written gives how many bytes a process caused to be written to storage. The kernel counts pages when they become
// dirty; the file system's own journal is not in it.
func written(pid int) (int64, error) {
	text, err := os.ReadFile(procFile(pid, "io"))
	if err != nil {
		return 0, err
	}
	return field(text, "write_bytes")
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
