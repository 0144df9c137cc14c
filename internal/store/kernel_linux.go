package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget makes the next read of f come from the disk, as far as the kernel allows it.
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// reserve takes the room that f has by its length, as far as the file system can.
func reserve(f *os.File, size int64) { _ = unix.Fallocate(int(f.Fd()), 0, 0, size) }
