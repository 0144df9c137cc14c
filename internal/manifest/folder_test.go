package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func deviceFile(name string) string { return fmt.Sprintf("{\"id\": %q, \"twin\": {\"p\": {}}}", name) }

func names(s Set) string {
	var out []string
	for _, d := range s.Devices {
		out = append(out, d.Device.Name.Name)
	}
	return strings.Join(out, " ")
}

func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.json", deviceFile("b"))
	write(t, dir, "a.yaml", betaModelHead+"---\n"+deviceFile("a"))
	write(t, dir, "c.YML", deviceFile("c"))
	write(t, dir, "d.yaml", betaDeviceHead+"  nam: x\n")
	write(t, dir, "e.yaml", deviceFile("e")+"\n---\n"+deviceFile("a"))
	write(t, dir, "f.yaml", betaModelHead)
	write(t, dir, ".hidden.yaml", "nonsense")
	write(t, dir, "README.txt", "nonsense")
	write(t, dir, "large.yaml", strings.Repeat("#", MaxFileBytes+1))
	if err := os.Mkdir(filepath.Join(dir, "sub.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	set, errs := ReadFolder(dir)
	if got, want := names(set), "a b c"; got != want {
		t.Errorf("devices %q, want %q", got, want)
	}
	if len(set.Models) != 1 {
		t.Errorf("%d models, want 1", len(set.Models))
	}
	for file, want := range map[string]string{
		"d.yaml":     "d.yaml:5: metadata.nam",
		"e.yaml":     `device: "default/a": expected each name once; ` + filepath.Join(dir, "a.yaml") + " has it already",
		"f.yaml":     `model: "default/lamp": expected each name once`,
		"large.yaml": "more than 1048576 bytes",
		"pipe.yaml":  "not a plain file",
	} {
		err := errs[filepath.Join(dir, file)]
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
		delete(errs, filepath.Join(dir, file))
	}
	if len(errs) > 0 {
		t.Errorf("unexpected errors: %v", errs)
	}
}

// TestFileTakenWhole keeps names of a refused file free for others.
func TestFileTakenWhole(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "1.yaml", deviceFile("a"))
	write(t, dir, "2.yaml", deviceFile("a")+"\n---\n"+deviceFile("b"))
	write(t, dir, "3.yaml", deviceFile("b"))
	set, errs := ReadFolder(dir)
	if got, want := names(set), "a b"; got != want || len(errs) != 1 {
		t.Errorf("devices %q, want %q; errors %v, want that of 2.yaml", got, want, errs)
	}
}

func TestFolderBounds(t *testing.T) {
	dir := t.TempDir()
	set, errs := ReadFolder(filepath.Join(dir, "missing"))
	if len(errs) != 1 || errs[filepath.Join(dir, "missing")] == nil || len(set.Devices) > 0 {
		t.Errorf("missing folder: got %v, want an error under its path", errs)
	}
	for i := range MaxFiles + 1 {
		if err := os.Link(first(t, dir), filepath.Join(dir, fmt.Sprintf("%d.yaml", i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, errs := ReadFolder(dir); errs[dir] == nil || !strings.Contains(errs[dir].Error(), "more than 10000 files") {
		t.Errorf("got %v, want too many files", errs)
	}
}

// first makes the file that the others link to.
func first(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, ".first")
	if _, err := os.Stat(path); err != nil {
		write(t, dir, ".first", "{}")
	}
	return path
}

func TestFolderTogether(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", deviceFile("a")+"\n#"+strings.Repeat("x", 100))
	if _, err := readFile(filepath.Join(dir, "a.yaml"), 50); err == nil || !strings.Contains(err.Error(), "together") {
		t.Errorf("got %v, want the folder's bound", err)
	}
}
