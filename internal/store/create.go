package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Who else is on the machine must not read keys.
const (
	fileMode   fs.FileMode = 0o600
	folderMode fs.FileMode = 0o700
)

// tempSuffix names the file that is being made, or put in the place of another.
const tempSuffix = ".new"

// create makes a new store at path. A power cut leaves the whole store or none there, and at most a temporary file
// beside it, which the next attempt takes over. made is false if another process was quicker.
func create(path string, o Options) (made bool, err error) {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return false, fmt.Errorf("make folder for store %s: %w", path, err)
	}
	temp := path + tempSuffix
	var file *os.File
	open := func(name string, _ int, _ os.FileMode) (f *os.File, err error) {
		file, err = takeTemp(name, o)
		return file, err
	}
	crashed, err := guarded(func() error {
		db, err := bbolt.Open(temp, fileMode, boltOptions(o, open))
		if err != nil {
			return err
		}
		err = db.Update(initialise)
		if err == nil {
			err = file.Sync() // the length too, which bbolt's fdatasync need not write
		}
		if err == nil {
			err = putInPlace(temp, path, false)
		}
		return errors.Join(err, db.Close())
	})
	if crashed && file != nil {
		(&handle{file: file}).abandon()
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case errors.Is(err, ErrLocked):
		return false, fmt.Errorf("make store %s: %w", path, err)
	}
	return false, &DiskError{Op: "make", Path: path, Err: err}
}

// takeTemp opens, locks and empties the temporary file. Two processes that start at once take turns here.
func takeTemp(name string, o Options) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, fileMode)
		if err != nil {
			return nil, err
		}
		if err := lock(f, o.LockWait); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// The one before may have renamed it into its place, or removed it, while this one waited for the lock.
		if same, err := isAt(f, name); err != nil {
			return nil, errors.Join(err, f.Close())
		} else if !same {
			if err := f.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if err := f.Truncate(0); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
}

// isAt reports whether f is the file that name leads to.
func isAt(f *os.File, name string) (bool, error) {
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(a, b), err
}

// putInPlace renames a synced temporary file, whose lock the caller holds, to path and syncs the folder.
func putInPlace(temp, path string, replace bool) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return errors.Join(&fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}, os.Remove(temp))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolder makes a folder and those above it, and syncs the names.
func makeFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: unix.ENOTDIR}
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// syncFolder makes names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
