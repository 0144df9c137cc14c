package deviceapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"twinbridge/twin"
)

const (
	// maxPath is the longest path of a socket that the kernel takes, in bytes (unix(7)).
	maxPath = 107
	// acceptTime is how long who listens on a socket may take to accept a connection.
	acceptTime = time.Second
)

// ErrTaken is wrapped when somebody else answers on a socket.
var ErrTaken = errors.New("somebody answers on the socket already")

// ListenSocket takes a unix socket, mode 0600. A socket that a killed process left behind is removed, one that is
// answered is ErrTaken.
func ListenSocket(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("listen on %s: %w", path, &twin.FieldError{
			Field: "data folder", Value: filepath.Dir(path), Want: fmt.Sprintf("a path of at most %d bytes, as a socket lies in it", maxPath-len(filepath.Base(path))-1),
		})
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	// Until here the folder, which is its owner's alone, keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return LimitConns(l, MaxConns), nil
}

// removeStale removes a socket on which nobody answers.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is something that is not a socket; it stays untouched")
	}
	c, err := net.DialTimeout("unix", path, acceptTime)
	if err == nil {
		_ = c.Close() // it was only asked whether somebody is there
		return ErrTaken
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("%w, though it does not answer", ErrTaken)
	}
	return os.Remove(path)
}
