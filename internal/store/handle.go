package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// handle is one opening of the file by bbolt, with the descriptor that bbolt uses.
type handle struct {
	db   *bbolt.DB
	file *os.File
}

// openHandle locks the file, checks it, and only then lets bbolt map it. fresh reads it from the disk rather than from
// the kernel's memory: after a failed sync the two can differ, and the memory is what would be lost.
//
// A file that is not there is fs.ErrNotExist; it is never made here.
func openHandle(path string, o Options, fresh bool) (*handle, summary, error) {
	h := &handle{}
	var sum summary
	open := func(name string, _ int, _ os.FileMode) (*os.File, error) {
		// Without O_CREATE, which bbolt asks for: an empty file must never stand in for a lost one.
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		if sum, err = prepare(f, o, fresh); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		h.file = f
		return f, nil
	}
	_, err := guarded(func() (err error) {
		h.db, err = bbolt.Open(path, fileMode, boltOptions(o, open))
		return err
	})
	if err == nil {
		return h, sum, nil
	}
	if h.file != nil && h.db == nil {
		h.abandon()
	}
	err = located(err, path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) || errors.Is(err, ErrLocked) {
		return nil, sum, err
	}
	return nil, sum, &DiskError{Op: "open", Path: path, Err: err}
}

func boltOptions(o Options, open func(string, int, os.FileMode) (*os.File, error)) *bbolt.Options {
	return &bbolt.Options{
		Timeout:  time.Second, // never waited for: the descriptor is locked already
		PageSize: pageSize,
		MaxSize:  int(min(o.MaxSize, 1<<31-1)),
		OpenFile: open,
		// The list of free pages is written with each commit (NoFreelistSync off). It costs a page of 4 KiB. Without it
		// bbolt walks the whole file when a write has failed, in a goroutine of its own that nobody can guard: on a disk
		// that does not read either, that ends the process.
		NoFreelistSync: false,
		// The map of the file grows with it from 32 KiB, so that a small store costs little memory.
		InitialMmapSize: 0,
	}
}

// prepare locks an open file and makes sure that it can be used.
func prepare(f *os.File, o Options, fresh bool) (summary, error) {
	if err := lock(f, o.LockWait); err != nil {
		return summary{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return summary{}, err
	}
	if !info.Mode().IsRegular() {
		return summary{}, fmt.Errorf("%s is not a regular file", f.Name())
	}
	if info.Mode().Perm()&^fileMode != 0 { // it holds keys
		if err := f.Chmod(fileMode); err != nil {
			return summary{}, err
		}
	}
	if fresh {
		forget(f)
	}
	sum, err := check(f, info.Size())
	if err != nil {
		return summary{}, err
	}
	// bbolt makes the file longer without taking the room for it. Taking it here keeps commits that need no more pages
	// possible on a disk that is full.
	reserve(f, info.Size())
	return sum, nil
}

// lock takes the file for this process, as bbolt does, waiting up to wait for another one.
func lock(f *os.File, wait time.Duration) error {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(wait); ; time.Sleep(pause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock: %w", err)
		case time.Now().After(deadline):
			return fmt.Errorf("%s: %w", f.Name(), ErrLocked)
		}
	}
}

// close ends it in good order. It waits for transactions.
func (h *handle) close() error {
	crashed, err := guarded(h.db.Close)
	if crashed {
		h.abandon()
	}
	return err
}

// abandon gives up a bbolt that may hold its own locks for ever. The file is unlocked, so that it can be opened again;
// its mapping stays, because somebody could still be reading it.
func (h *handle) abandon() {
	_ = unix.Flock(int(h.file.Fd()), unix.LOCK_UN)
	_ = h.file.Close()
}

// guarded runs f, which must call nothing but bbolt and this package, and makes errors of its panics and memory faults:
// a mapped page that the disk cannot deliver faults where it is read.
func guarded(f func() error) (crashed bool, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			crashed, err = true, damaged("", "", fmt.Sprint(p))
		}
	}()
	return false, f()
}
