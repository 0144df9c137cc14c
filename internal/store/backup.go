package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// damagedSuffix names a file that was set aside.
const damagedSuffix = ".damaged"

// Backup writes a copy of the store, as it is at one moment, to w. A slow reader holds nothing up: the copy is taken
// to a nameless file in the same folder first, which needs as much room there, and is checked.
func (s *Store) Backup(w io.Writer) error {
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".backup-*")
	if err != nil {
		return &DiskError{Op: "back up", Path: s.path, Err: err}
	}
	defer func() { _ = f.Close() }() // nameless, and only read from
	if err := os.Remove(f.Name()); err != nil {
		return &DiskError{Op: "back up", Path: s.path, Err: err}
	}
	if _, err := s.copyTo(f); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return &DiskError{Op: "back up", Path: s.path, Err: err}
	}
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("back up store %s: %w", s.path, err)
	}
	return nil
}

// Snapshot puts a copy of the store, as it is at one moment, at path, in place of what is there. After an error, or a
// power cut, what was there is still there.
func (s *Store) Snapshot(path string) error {
	f, err := takeTemp(path+tempSuffix, s.opts)
	if err != nil {
		return &DiskError{Op: "make a snapshot", Path: s.path, Err: err}
	}
	if _, err = s.copyTo(f); err == nil {
		if err = f.Sync(); err == nil {
			err = putInPlace(f.Name(), path, true)
		}
		if err != nil {
			err = &DiskError{Op: "make a snapshot", Path: s.path, Err: err}
		}
	}
	if err != nil {
		err = errors.Join(err, ignoreMissing(os.Remove(f.Name())))
	}
	return errors.Join(err, f.Close())
}

// copyTo copies the store to the empty file f and checks the copy: one of a damaged store must not replace a good one.
func (s *Store) copyTo(f *os.File) (n int64, err error) {
	err = s.view(func(tx *bbolt.Tx) (err error) {
		w := &notingWriter{w: f}
		if n, err = tx.WriteTo(w); w.err != nil {
			return w.err
		}
		return err
	})
	if err == nil {
		_, err = check(f, n)
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = &DiskError{Op: "copy", Path: s.path, Err: err}
	}
	return n, located(err, s.path)
}

// notingWriter keeps the error of a write, of which bbolt passes on the text only.
type notingWriter struct {
	w   io.Writer
	err error
}

func (n *notingWriter) Write(b []byte) (int, error) {
	k, err := n.w.Write(b)
	if err != nil {
		n.err = err
	}
	return k, err
}

// Restore makes a store at path from a backup, in place of one that is there and that nobody has open. The store gets a
// new id (see [Store.RenewID]), so nobody takes it for the one that was backed up. After an error what was there is
// still there. r is read to its end, or one byte beyond Options.MaxSize.
func Restore(path string, r io.Reader, o Options) error {
	o = o.withDefaults()
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make folder for store %s: %w", path, err)
	}
	temp := path + ".restore"
	if err := fill(temp, r, o); err != nil {
		return errors.Join(fmt.Errorf("restore store %s: %w", path, err), ignoreMissing(os.Remove(temp)))
	}
	err := renew(temp, o)
	if err == nil {
		err = whileUnused(path, o, func() error { return putInPlace(temp, path, true) })
	}
	if err != nil {
		return errors.Join(fmt.Errorf("restore store %s: %w", path, err), ignoreMissing(os.Remove(temp)))
	}
	return nil
}

// fill writes a backup to a temporary file, and checks it.
func fill(temp string, r io.Reader, o Options) error {
	f, err := takeTemp(temp, o)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, o.MaxSize+1))
	if err == nil && n > o.MaxSize {
		err = fmt.Errorf("the backup has more than %d bytes: %w", o.MaxSize, ErrTooLarge)
	}
	if err == nil {
		_, err = check(f, n)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(located(err, "in the backup"), f.Close())
}

func renew(path string, o Options) error {
	s, err := Open(path, o)
	if err != nil {
		return err
	}
	_, err = s.RenewID()
	return errors.Join(err, s.Close())
}

// SetAside renames a store that nobody has open, in place of one set aside before, and gives its new name. It makes room
// for another where a damaged one lies, and keeps the damaged one for whoever wants to look.
func SetAside(path string, o Options) (string, error) {
	aside := path + damagedSuffix
	err := whileUnused(path, o.withDefaults(), func() error {
		if err := os.Rename(path, aside); err != nil {
			return err
		}
		return syncFolder(filepath.Dir(path))
	})
	if err != nil {
		return "", fmt.Errorf("set store %s aside: %w", path, err)
	}
	return aside, nil
}

// whileUnused runs f while no process can have the file at path open. There may be no such file.
func whileUnused(path string, o Options, f func() error) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return f()
	}
	if err != nil {
		return err
	}
	if err = lock(file, o.LockWait); err == nil {
		err = f()
	}
	return errors.Join(err, file.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
