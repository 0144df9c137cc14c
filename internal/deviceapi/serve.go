package deviceapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// graceTime is what requests have to end once a server ends. Waiting ones are answered at once.
const graceTime = 500 * time.Millisecond

// Serve serves until ctx ends, and gives requests a moment to end then. where is for errors.
func Serve(ctx context.Context, server *http.Server, l net.Listener, where string) error {
	if server.BaseContext == nil {
		server.BaseContext = func(net.Listener) context.Context { return ctx }
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", where, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = server.Close()
	}
	if end := <-failed; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	if err != nil {
		return fmt.Errorf("stop serving %s: %w", where, err)
	}
	return nil
}

// CloseListener gives up an address that may have been served or not, or that was not taken at all.
func CloseListener(l net.Listener) error {
	if l == nil {
		return nil
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
