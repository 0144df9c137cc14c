//go:build board

package gpio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kernel is Debian's arm64 kernel on this machine.
type kernel struct{ image, deviceTree string }

// source is where the kernel comes from, checked against the keys of Debian's archive.
const source = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"

// findQEMU gives the emulator, and installs it if it is missing and this user may.
func findQEMU(ctx context.Context, say func(string, ...any)) (string, error) {
	const name, pkg = "qemu-system-aarch64", "qemu-system-arm"
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("%s is missing: install the package %s", name, pkg)
	}
	say("installing the package %s by apt-get", pkg)
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", pkg}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return exec.LookPath(name)
}

// fetchKernel gives the kernel from the cache, or downloads and unpacks it there: 60 MB. apt gets lists and cache of
// its own, so that the machine's are not touched.
func fetchKernel(ctx context.Context, say func(string, ...any)) (kernel, error) {
	cache, err := cacheFolder()
	if err != nil {
		return kernel{}, err
	}
	unpacked := filepath.Join(cache, "arm64-kernel")
	if k, err := findKernel(unpacked); err == nil {
		return k, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return kernel{}, err
	}
	dir, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return kernel{}, err
	}
	defer os.RemoveAll(dir)
	for _, d := range []string{"lists/partial", "cache/archives/partial", "unpacked"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return kernel{}, err
		}
	}
	for name, text := range map[string]string{"sources.list": source, "status": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return kernel{}, err
		}
	}
	say("downloading Debian's arm64 kernel into %s (60 MB, once)", cache)
	if _, err := apt(ctx, dir, "apt-get", "update"); err != nil {
		return kernel{}, err
	}
	// The package without a version depends on the newest one.
	out, err := apt(ctx, dir, "apt-cache", "depends", "linux-image-arm64")
	if err != nil {
		return kernel{}, err
	}
	_, name, ok := strings.Cut(out, "Depends: ")
	if !ok {
		return kernel{}, fmt.Errorf("apt-cache knows no arm64 kernel: %q", out)
	}
	name, _, _ = strings.Cut(name, "\n")
	if _, err := apt(ctx, dir, "apt-get", "download", strings.TrimSpace(name)); err != nil {
		return kernel{}, err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "linux-image-*.deb"))
	if err != nil || len(debs) != 1 {
		return kernel{}, fmt.Errorf("apt-get download left %d packages, %v", len(debs), err)
	}
	fresh := filepath.Join(dir, "unpacked")
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", debs[0], fresh).CombinedOutput(); err != nil {
		return kernel{}, fmt.Errorf("unpack %s: %w\n%s", debs[0], err, out)
	}
	if _, err := findKernel(fresh); err != nil {
		return kernel{}, err
	}
	// In one step, so that an interrupted download leaves nothing half-done.
	if err := os.RemoveAll(unpacked); err != nil {
		return kernel{}, err
	}
	if err := os.Rename(fresh, unpacked); err != nil {
		return kernel{}, err
	}
	return findKernel(unpacked)
}

// apt runs one of apt's programs for another architecture, with lists, cache and sources in dir.
func apt(ctx context.Context, dir, program string, args ...string) (string, error) {
	opts := []string{
		"-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64", "-oAPT::Sandbox::User=",
		"-oDir::State::Lists=" + dir + "/lists", "-oDir::State::status=" + dir + "/status",
		"-oDir::Etc::sourcelist=" + dir + "/sources.list", "-oDir::Etc::sourceparts=-", "-oDir::Cache=" + dir + "/cache",
	}
	cmd := exec.CommandContext(ctx, program, append(opts, args...)...)
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, complaints.String())
	}
	return string(out), nil
}

func findKernel(root string) (kernel, error) {
	images, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	trees, err2 := filepath.Glob(filepath.Join(root, "usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-b.dtb"))
	if err := errors.Join(err, err2); err != nil {
		return kernel{}, err
	}
	if len(images) != 1 || len(trees) != 1 {
		return kernel{}, fmt.Errorf("%s holds %d kernels and %d device trees; want one of each", root, len(images), len(trees))
	}
	return kernel{image: images[0], deviceTree: trees[0]}, nil
}

func cacheFolder() (string, error) {
	if dir := os.Getenv("TWINBRIDGE_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder; set TWINBRIDGE_CACHE: %w", err)
	}
	return filepath.Join(dir, "twinbridge"), nil
}
