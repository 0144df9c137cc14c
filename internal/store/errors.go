package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

// Errors that decide what a caller does next. They are wrapped: test with [errors.Is].
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("store is in use by another process")
	// ErrDamaged: the content is not what was written; see [DamagedError]. The file is left as it is.
	ErrDamaged = errors.New("store is damaged")
	// ErrNewer: the file was written by a later version of the program, which may know what this one does not.
	ErrNewer = errors.New("store was written by a newer version")
	// ErrDisk: the disk did not take the change. It may be tried again; see [DiskError].
	ErrDisk = errors.New("disk failure")
	// ErrFull: there is no room for the change. It is an ErrDisk too.
	ErrFull = errors.New("no space left")
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("no such record")
	// ErrTooLarge: a name, key or record is beyond the bounds of this package.
	ErrTooLarge = errors.New("record too large")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("store is closed")
)

// DamagedError says where a file is damaged. It is an [ErrDamaged].
type DamagedError struct {
	Path   string
	Bucket string // "" if the damage is not within a bucket
	Key    string // "" if it is not a single record
	Reason string
}

func (e *DamagedError) Error() string {
	var b strings.Builder
	b.WriteString("store " + e.Path + " is damaged")
	if e.Bucket != "" {
		b.WriteString(", bucket " + strconv.Quote(e.Bucket))
	}
	if e.Key != "" {
		b.WriteString(", key " + strconv.Quote(e.Key))
	}
	return b.String() + ": " + e.Reason
}

// Is makes a DamagedError an ErrDamaged.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// DiskError is an operation that the disk refused. It is an [ErrDisk], and an [ErrFull] where there was no room.
type DiskError struct {
	Op   string // what was being done, as "commit"
	Path string
	Err  error
}

func (e *DiskError) Error() string { return fmt.Sprintf("store %s: %s: %v", e.Path, e.Op, e.Err) }

// Unwrap gives the cause.
func (e *DiskError) Unwrap() error { return e.Err }

// Is makes a DiskError an ErrDisk, and an ErrFull if its cause is one.
func (e *DiskError) Is(target error) bool {
	return target == ErrDisk || target == ErrFull && isFull(e.Err)
}

// isFull reports whether err says that there is no room: on the disk, in the quota, or below [Options.MaxSize].
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, bolterrors.ErrMaxSizeReached)
}
