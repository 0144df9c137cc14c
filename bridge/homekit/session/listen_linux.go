package session

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// control bounds how long what was written may stay unanswered; accepted connections inherit it. Without it the kernel
// goes on for a quarter of an hour, and as long as something is unanswered it sends no probes.
func control(_, _ string, rc syscall.RawConn) error {
	var err error
	if e := rc.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
	}); e != nil {
		return e
	}
	return err
}
