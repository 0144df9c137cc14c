//go:build !linux

package session

import "syscall"

// control does nothing: there is no such option.
func control(_, _ string, _ syscall.RawConn) error { return nil }
