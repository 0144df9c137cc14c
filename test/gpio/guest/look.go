//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// gpioBase is where the BCM2837 has its GPIO registers.
const gpioBase = 0x3f200000

// registers maps the GPIO registers for reading, by the test's own hand.
func registers() ([]byte, error) {
	f, err := os.Open("/dev/mem")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return unix.Mmap(int(f.Fd()), gpioBase, 4096, unix.PROT_READ, unix.MAP_SHARED)
}

// pin is what the SoC says of a line.
type pin struct {
	level  int
	output bool
}

func lookAt(line int) (pin, error) {
	mem, err := registers()
	if err != nil {
		return pin{}, fmt.Errorf("map the registers: %w", err)
	}
	defer unix.Munmap(mem)
	return pin{level: levelOf(mem, line), output: isOutput(mem, line)}, nil
}

func word(mem []byte, offset int) uint32 { return binary.LittleEndian.Uint32(mem[offset:]) }

// levelOf reads GPLEV.
func levelOf(mem []byte, line int) int { return int(word(mem, 0x34+line/32*4) >> (line % 32) & 1) }

// isOutput reads GPFSEL.
func isOutput(mem []byte, line int) bool { return word(mem, line/10*4)>>(line%10*3)&7 == 1 }

// want compares a line's registers with what should be there.
func want(line, level int) error {
	got, err := lookAt(line)
	if err != nil {
		return err
	}
	if got != (pin{level, true}) {
		return fmt.Errorf("registers of line %d: got level %d, output %v; want level %d, output true", line, got.level, got.output, level)
	}
	return nil
}

// wantDebug compares what the kernel's gpio debug file says of a held line. The file shows 20 bytes of the consumer.
func wantDebug(line, level int, consumer string) error {
	b, err := os.ReadFile("/sys/kernel/debug/gpio")
	if err != nil {
		return err
	}
	state := [2]string{"out lo", "out hi"}[level]
	name := fmt.Sprintf("(GPIO%d ", line)
	for l := range strings.Lines(string(b)) {
		if strings.Contains(l, name) {
			if strings.Contains(l, state) && strings.Contains(l, consumer) {
				return nil
			}
			return fmt.Errorf("debug file on line %d: got %q; want %q and %q", line, strings.TrimSpace(l), state, consumer)
		}
	}
	return fmt.Errorf("debug file does not show line %d as held:\n%s", line, b)
}
