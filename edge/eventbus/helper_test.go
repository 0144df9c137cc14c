package eventbus

import (
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
)

var errDisk = errors.New("no space left on device")

func contains(s, sub string) bool { return strings.Contains(s, sub) }

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// started is a program that reads what the test writes.
type started struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func (h *house) startPub(args ...string) (*started, error) {
	cmd := h.mosquitto("mosquitto_pub", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h.t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &started{cmd, in}, nil
}
