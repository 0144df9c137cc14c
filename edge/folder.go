package edge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"twinbridge/edge/local"
)

// Names in the data folder.
const (
	storeName   = "edge.db"
	configName  = "twinbridge.yaml"
	devicesName = "devices"
)

// DataFolder is where a node keeps its data if nobody says otherwise: root's lies with the system's, anybody else's with
// the user's own state.
func DataFolder() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/twinbridge", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "twinbridge"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a data folder: %w; name one with --data", err)
	}
	return filepath.Join(home, ".local", "state", "twinbridge"), nil
}

// ConfigFile is the configuration of a data folder.
func ConfigFile(data string) string { return filepath.Join(data, configName) }

// Socket is where the edge of a data folder is controlled.
func Socket(data string) string { return filepath.Join(data, local.SocketName) }

// PrepareFolder makes the data folder, its owner's alone: there are keys in it, and who may open the socket may switch
// the lamp. One that exists is closed to others only if it is ours already, or empty, and never if it belongs to
// somebody else: a mistyped --data must not lock people out of /tmp.
func PrepareFolder(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w; name another one with --data", err)
	}
	info, err := os.Stat(data)
	if err != nil {
		return fmt.Errorf("look at data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	ours, err := isOurs(data)
	if err != nil {
		return fmt.Errorf("look at data folder: %w", err)
	}
	if ours {
		if err := os.Chmod(data, 0o700); err != nil {
			return fmt.Errorf("close data folder to others: %w", err)
		}
		return nil
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("data folder %s: others may write in it, and it holds other things than twinbridge's; name another one with --data", data)
	}
	return nil
}

// isOurs reports whether a folder is empty or has been a data folder before.
func isOurs(data string) (bool, error) {
	f, err := os.Open(data)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if _, err := f.ReadDir(1); errors.Is(err, io.EOF) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	for _, name := range []string{storeName, configName, devicesName} {
		if _, err := os.Lstat(filepath.Join(data, name)); err == nil {
			return true, nil
		}
	}
	return false, nil
}

// hasManifests reports whether a folder holds a manifest.
func hasManifests(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read device folder: %w", err)
	}
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".yaml", ".yml", ".json":
			return true, nil
		}
	}
	return false, nil
}

// writeFile writes a new file: after a power cut there is all of it or nothing. A file of that name stays as it is and
// is fs.ErrExist.
func writeFile(path, text string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.Remove(f.Name()); e != nil && err == nil {
			err = e
		}
	}()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
