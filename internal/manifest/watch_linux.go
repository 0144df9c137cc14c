package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inotifyEvents are those that can change what ReadFolder gives. A link that is moved over another, as Kubernetes does
// with mounted configuration, comes as IN_MOVED_TO.
const inotifyEvents = unix.IN_CLOSE_WRITE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_CREATE | unix.IN_DELETE |
	unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

type inotify struct{ f *os.File }

func listenFolder(dir string) (listener, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	// A non-blocking descriptor is polled by the runtime, so that closing the file ends a read.
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, inotifyEvents); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("inotify %s: %w", dir, err)
	}
	return &inotify{f: f}, nil
}

// next waits for events and tells only that there were some: the folder is read as a whole.
func (i *inotify) next() error {
	var buf [4096]byte
	n, err := i.f.Read(buf[:])
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	if gone(buf[:n]) {
		return errors.New("inotify: the folder was removed or moved")
	}
	return nil
}

func (i *inotify) close() error { return i.f.Close() }

// gone reports whether one of the events says that the watched folder is no longer there. An event is four 32-bit
// numbers in the machine's order (watch, mask, cookie, length of the name) and the name (inotify(7)).
func gone(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		if mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 {
			return true
		}
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		events = events[min(size, len(events)):]
	}
	return false
}
