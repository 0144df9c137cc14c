//go:build linux

// Command guest is the init of an emulated Raspberry Pi. It moves GPIO lines with the drivers of twinbridge, checks by
// other means that they moved, and prints one line for each check: "PASS name", or "FAIL name: what was wrong"; "END n"
// after n checks. It never exits: an init must not.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mounted marks the second start of the program: package rpio reads /proc before main runs, so /proc must be there
// before the program starts.
const mounted = "GUEST_MOUNTED=1"

func main() {
	if os.Getpid() == 1 && os.Getenv("GUEST_MOUNTED") == "" {
		if err := boot(); err != nil {
			fmt.Println("FAIL boot:", err)
		}
	}
	fmt.Println() // the console may be in the middle of a line of the kernel's
	run()
	fmt.Println("END", len(checks))
	for {
		time.Sleep(time.Hour)
	}
}

// boot mounts what the drivers and the checks look at, and starts the program anew.
func boot() error {
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"debugfs", "/sys/kernel/debug"}, {"tmpfs", "/tmp"}} {
		if err := os.MkdirAll(m[1], 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), mounted))
}

// run makes all checks, each on its own: a panic fails one of them.
func run() {
	for _, c := range checks {
		start := time.Now()
		err := protect(c.do)
		if err != nil {
			fmt.Printf("FAIL %s: %v\n", c.name, err)
			continue
		}
		fmt.Printf("PASS %s (%v)\n", c.name, time.Since(start).Round(time.Microsecond))
	}
}

func protect(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do()
}
