//go:build !unix

package dnssd

import (
	"errors"
	"syscall"
)

func shareOptions(string, string, syscall.RawConn) error {
	return errors.New("this system's way to share port 5353 is not known here")
}
