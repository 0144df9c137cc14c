//go:build !linux

package doctor

import (
	"errors"
	"fmt"
	"net"
	"os"
)

const littleEndian = true

// Stat looks at a file or folder.
func Stat(path string) (FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return FileInfo{}, err
	}
	return FileInfo{Mode: info.Mode(), UID: -1, Size: info.Size(), Modified: info.ModTime()}, nil
}

// SpaceOf cannot be told here.
func SpaceOf(string) (Space, error) { return Space{}, errSystem("file system") }

// ClockSync cannot be told here.
func ClockSync() (Sync, error) { return Sync{}, errSystem("clock") }

// Listeners cannot be told here.
func Listeners(string) ([]Listener, error) { return nil, errSystem("sockets") }

// LowPorts is not told here.
func LowPorts() int { return 0 }

func ipv6Off(string) bool { return false }

// PeerPID cannot be told here.
func PeerPID(net.Conn) int { return 0 }

// errSystem is what probes give that this system has not.
func errSystem(what string) error { return fmt.Errorf("%s: %w", what, errors.ErrUnsupported) }
