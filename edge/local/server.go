package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// SocketName is the socket's name in the data folder.
const SocketName = "edge.sock"

const (
	// maxPath is the longest path of a socket that the kernel takes, in bytes (unix(7)).
	maxPath = 107
	// answerTime is how long a running edge may take to accept a connection.
	answerTime = time.Second
	// graceTime is what requests have to end once the edge ends. Waiting ones are answered at once.
	graceTime = 500 * time.Millisecond
)

// ErrTaken is wrapped when another edge answers on the socket.
var ErrTaken = errors.New("another edge runs on this data folder")

// Config is what a Server is told.
type Config struct {
	Socket  string    // path of the socket
	Version string    // of the program
	Started time.Time // of the process
}

// Server serves one socket.
type Server struct {
	cfg     Config
	handler http.Handler
	log     *slog.Logger
	l       net.Listener
}

// New makes a server of a store. metrics answers /metrics; nil: there are none.
func New(cfg Config, store *twin.Store, defs Definitions, metrics http.Handler, log *slog.Logger) *Server {
	s := &service{cfg: cfg, store: store, defs: defs, asker: "local"}
	h := deviceapi.New(s, deviceapi.Options{Version: cfg.Version, Metrics: metrics})
	return &Server{cfg: cfg, handler: h, log: log}
}

// Handler is what the socket serves.
func (s *Server) Handler() http.Handler { return s.handler }

// Listen takes the socket, mode 0600. A socket that a killed edge left behind is removed, one that is answered is
// ErrTaken. Run or Close has to follow.
func (s *Server) Listen() error {
	path := s.cfg.Socket
	if len(path) > maxPath {
		return fmt.Errorf("listen on %s: %w", path, &twin.FieldError{
			Field: "data folder", Value: filepath.Dir(path), Want: fmt.Sprintf("a path of at most %d bytes, as a socket lies in it", maxPath-len(SocketName)-1),
		})
	}
	if err := removeStale(path); err != nil {
		return fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", path, err)
	}
	// Until here the folder, which is its owner's alone, keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	s.l = deviceapi.LimitConns(l, deviceapi.MaxConns)
	return nil
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
	c, err := net.DialTimeout("unix", path, answerTime)
	if err == nil {
		_ = c.Close() // it was only asked whether somebody is there
		return ErrTaken
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("%w, though it does not answer", ErrTaken)
	}
	return os.Remove(path)
}

// Close gives up a socket that Run will not serve. After Run it does nothing.
func (s *Server) Close() error { return closeListener(s.l) }

func closeListener(l net.Listener) error {
	if l == nil {
		return nil
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves until ctx ends. Who waits for an outcome then is told what it is by then; streams end.
func (s *Server) Run(ctx context.Context) error {
	return serve(ctx, deviceapi.NewServer(s.handler, s.log), s.l, s.cfg.Socket)
}

// serve serves until ctx ends, and gives requests a moment to end then. where is for errors.
func serve(ctx context.Context, server *http.Server, l net.Listener, where string) error {
	server.BaseContext = func(net.Listener) context.Context { return ctx }
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
