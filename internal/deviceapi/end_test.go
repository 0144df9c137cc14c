package deviceapi_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// quiet is a service of which nothing is ever told.
type quiet struct{ deviceapi.Service }

func (quiet) Watch() deviceapi.Watch { return quietWatch{} }

type quietWatch struct{}

func (quietWatch) C() <-chan struct{} { return nil }
func (quietWatch) Take() []twin.Name  { return nil }
func (quietWatch) Close()             {}

// pipes is a listener whose connections are net.Pipes: in a bubble nothing else may be waited for.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error { close(p); return nil }
func (pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// TestStreamIsEnded: a stream that the server ends comes to a proper end, however long it was quiet.
func TestStreamIsEnded(t *testing.T) {
	for why, end := range map[string]func(still *atomic.Bool, session, server context.CancelFunc){
		"the reader may not read any more": func(still *atomic.Bool, _, _ context.CancelFunc) { still.Store(false) },
		"the session ends":                 func(_ *atomic.Bool, session, _ context.CancelFunc) { session() },
		"the server ends":                  func(_ *atomic.Bool, _, server context.CancelFunc) { server() },
	} {
		t.Run(why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var still atomic.Bool
				still.Store(true)
				session, logOut := context.WithCancel(t.Context())
				defer logOut()
				api := deviceapi.New(quiet{}, deviceapi.Options{Streams: deviceapi.Streams{Still: func(context.Context) bool { return still.Load() }}})
				server := deviceapi.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx, cancel := context.WithCancel(r.Context())
					defer cancel()
					defer context.AfterFunc(session, cancel)()
					api.ServeHTTP(w, r.WithContext(ctx))
				}), slog.New(slog.DiscardHandler))
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				l := make(pipes)
				served := make(chan error, 1)
				go func() { served <- deviceapi.Serve(ctx, server, l, "the pipe") }()
				here, there := net.Pipe()
				defer here.Close()
				l <- there
				if _, err := io.WriteString(here, "GET /v1/watch HTTP/1.1\r\nHost: edge\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				res, err := http.ReadResponse(bufio.NewReader(here), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				ready := make([]byte, len("event: ready\n"))
				if _, err := io.ReadFull(res.Body, ready); err != nil || string(ready) != "event: ready\n" {
					t.Fatalf("got %q, %v", ready, err)
				}
				time.Sleep(14 * time.Second) // no sign of life came yet
				end(&still, logOut, stop)
				if rest, err := io.ReadAll(res.Body); err != nil || !strings.HasPrefix(string(rest), "id: ") {
					t.Errorf("the stream ended with %q, %v", rest, err)
				}
				stop()
				if err := <-served; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
