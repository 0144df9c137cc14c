package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Create writes a new file as [Write] prints it, readable by its owner only. It never overwrites: if the file exists,
// the error wraps fs.ErrExist. After a crash there is the whole file or none.
func Create(path string, defaults, values any) error {
	var text bytes.Buffer
	if err := Write(&text, defaults, values); err != nil {
		return err
	}
	if err := create(path, text.Bytes()); err != nil {
		return fmt.Errorf("create configuration: %w", err)
	}
	return nil
}

func create(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	temp := f.Name()
	defer func() {
		if e := os.Remove(temp); err == nil && e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}()
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := publish(temp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// publish gives the finished file its name. A link fails where the name is taken, which a rename does not; where there
// are no links (FAT, some network file systems) the moment between look and rename is left open.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return os.Rename(temp, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
