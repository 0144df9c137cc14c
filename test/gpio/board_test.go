//go:build board

package gpio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bootLimit bounds a run: 15 s on two idle cores, and no more than this on a busy machine.
const bootLimit = 5 * time.Minute

// TestBoard boots the emulated Raspberry Pi and gives each check of the guest as a subtest.
func TestBoard(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	qemu, err := findQEMU(ctx, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	k, err := fetchKernel(ctx, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	initramfs := filepath.Join(dir, "guest.cpio.gz")
	if err := buildGuest(ctx, dir, initramfs); err != nil {
		t.Fatal(err)
	}
	results, console, err := boot(ctx, qemu, k, initramfs, filepath.Join(dir, "console"))
	for _, r := range results {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
			if r.failure != "" {
				t.Error(r.failure)
			}
			if r.took != "" {
				t.Logf("%s on the board", r.took)
			}
		})
	}
	for line := range strings.Lines(console) {
		if strings.HasPrefix(line, "NOTE ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if t.Failed() {
		t.Logf("console:\n%s", console)
	}
	if err != nil {
		t.Fatalf("%v\nconsole:\n%s", err, console)
	}
	if len(results) == 0 {
		t.Fatalf("the guest made no check\nconsole:\n%s", console)
	}
}

// buildGuest cross-compiles the guest and twinbridge and packs them as the only files of an initramfs.
func buildGuest(ctx context.Context, dir, initramfs string) error {
	var files []file
	for _, p := range [][2]string{{"init", "./guest"}, {"twinbridge", "../../cmd/twinbridge"}} {
		program := filepath.Join(dir, p[0])
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, p[1])
		build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s for the board: %w\n%s", p[1], err, out)
		}
		files = append(files, file{name: p[0], from: program})
	}
	return writeInitramfs(initramfs, files)
}

// result is what the guest says of a check; took is the board's own time.
type result struct{ name, failure, took string }

// boot runs the machine until the guest says END. The machine cannot switch itself off: it is ended here.
func boot(ctx context.Context, qemu string, k kernel, initramfs, console string) ([]result, string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, qemu, "-M", "raspi3b", "-kernel", k.image, "-dtb", k.deviceTree, "-initrd", initramfs,
		"-append", "console=ttyS1,115200 quiet rdinit=/init panic=-1 iomem=relaxed",
		"-display", "none", "-monitor", "none", "-serial", "null", "-serial", "stdio", "-no-reboot")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start QEMU: %w", err)
	}
	var log strings.Builder
	results, ended := read(io.LimitReader(out, 4<<20), &log)
	stop() // ends QEMU, and only this one
	waitErr := cmd.Wait()
	if !ended {
		return results, log.String(), errors.Join(fmt.Errorf("the guest did not come to its END with %d results", len(results)), context.Cause(ctx), waitErr, errors.New(complaints.String()))
	}
	return results, log.String(), nil
}

// read takes in the console up to END, which names the number of results that must have been seen.
func read(console io.Reader, log *strings.Builder) (results []result, ended bool) {
	lines := bufio.NewScanner(console)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		log.WriteString(line + "\n")
		switch {
		case strings.HasPrefix(line, "END "):
			return results, line == fmt.Sprintf("END %d", len(results))
		case strings.HasPrefix(line, "PASS "):
			name, took, _ := strings.Cut(strings.TrimPrefix(line, "PASS "), " (")
			results = append(results, result{name: name, took: strings.TrimSuffix(took, ")")})
		case strings.HasPrefix(line, "FAIL "):
			name, why, _ := strings.Cut(strings.TrimPrefix(line, "FAIL "), ": ")
			results = append(results, result{name: name, failure: why + " (the console below tells more)"})
		}
	}
	return results, false
}
