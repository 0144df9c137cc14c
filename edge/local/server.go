package local

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// SocketName is the socket's name in the data folder.
const SocketName = "edge.sock"

// ErrTaken is wrapped when another edge answers on the socket.
var ErrTaken = errors.New("another edge runs on this data folder")

// Config is what a Server is told.
type Config struct {
	Socket  string    // path of the socket
	Version string    // of the program
	Started time.Time // of the process
	// Trouble is what is wrong with the node beside its disk, for the health; nil, and a nil error: nothing.
	Trouble func() error
	// Hub tells how the link to the hub is, "" if the node has joined none; nil: it has not.
	Hub func() string
	// HomeKit is the bridge to HomeKit; nil: there is none.
	HomeKit HomeKit
}

// Server serves one socket.
type Server struct {
	cfg     Config
	handler func() http.Handler // made when it is asked for first: that takes longer than all else of a start
	log     *slog.Logger
	l       net.Listener
}

// New makes a server of a store. metrics answers /metrics; nil: there are none.
func New(cfg Config, store *twin.Store, defs Definitions, metrics http.Handler, log *slog.Logger) *Server {
	s := &service{cfg: cfg, store: store, defs: defs}
	o := deviceapi.Options{Version: cfg.Version, Metrics: metrics}
	if cfg.HomeKit != nil {
		o.Routes = homekitRoutes(cfg.HomeKit)
	}
	return &Server{cfg: cfg, handler: sync.OnceValue(func() http.Handler { return deviceapi.New(s, o) }), log: log}
}

// Handler is what the socket serves.
func (s *Server) Handler() http.Handler { return s.handler() }

// Listen takes the socket, see [deviceapi.ListenSocket]; one that is answered is ErrTaken. Run or Close has to follow.
func (s *Server) Listen() error {
	l, err := deviceapi.ListenSocket(s.cfg.Socket)
	if errors.Is(err, deviceapi.ErrTaken) {
		return errors.Join(ErrTaken, err)
	}
	s.l = l
	return err
}

// Close gives up a socket that Run will not serve. After Run it does nothing.
func (s *Server) Close() error { return deviceapi.CloseListener(s.l) }

// Run serves until ctx ends. Who waits for an outcome then is told what it is by then; streams end.
func (s *Server) Run(ctx context.Context) error {
	return deviceapi.Serve(ctx, deviceapi.NewServer(s.handler(), s.log), s.l, s.cfg.Socket)
}
