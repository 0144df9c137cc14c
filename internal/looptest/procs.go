package looptest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"twinbridge/cloud/cloudhub"
	"twinbridge/cloud/devicecontroller"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/edge/devicetwin"
	"twinbridge/edge/edgehub"
	"twinbridge/internal/linetest"
	"twinbridge/internal/wire"
)

// hubProc is the process of the hub.
type hubProc struct {
	w    *world
	file *file
	life int

	reg  *embedded.Registry // nil: down
	hub  *cloudhub.Hub
	stop context.CancelFunc
	srv  *http.Server
	wg   *sync.WaitGroup
}

func (p *hubProc) start() error {
	reg, err := embedded.Open(p.file, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctl := devicecontroller.New(reg)
	out := p.w.out
	if out == nil {
		out = slog.New(slog.DiscardHandler)
	}
	p.hub = cloudhub.New(cloudhub.Config{Identify: identify, Sessions: p.w.sessions}, ctl, out)
	mux := http.NewServeMux()
	mux.Handle(wire.Path, p.hub)
	p.srv = p.w.net.server(mux)
	p.srv.ErrorLog = log.New(io.Discard, "", 0)
	l := linetest.Listen()
	ctx, stop := context.WithCancel(context.Background())
	p.wg, p.stop = &sync.WaitGroup{}, stop
	p.wg.Go(func() { _ = reg.Run(ctx) }) // an error is that of a crashed disk
	p.wg.Go(func() { _ = ctl.Run(ctx, p.hub) })
	p.wg.Go(func() { _ = p.hub.Run(ctx) })
	srv, cert := p.srv, p.w.net.cert
	p.wg.Go(func() {
		_ = srv.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}))
	})
	p.life++
	p.w.mu.Lock()
	p.reg = reg
	p.w.mu.Unlock()
	p.w.net.set(func() { p.w.net.listener = l })
	return nil
}

// crash ends the process; what is not on its disk is gone.
func (p *hubProc) crash() {
	if p.reg == nil {
		return
	}
	p.file = p.file.crash()
	p.w.net.set(func() { p.w.net.listener = nil })
	p.w.net.each("", func(l *linetest.Line) { l.Cut() })
	p.w.mu.Lock()
	p.reg = nil
	p.w.mu.Unlock()
	p.stop()
	_ = p.srv.Close()
	p.wg.Wait()
}

// nodeProc is the process of a node.
type nodeProc struct {
	w    *world
	name string
	file *file
	life int

	holder *devicetwin.Holder // nil: down
	link   *edgehub.EdgeHub
	stop   context.CancelFunc
	wg     *sync.WaitGroup
}

func (p *nodeProc) start() error {
	h, err := devicetwin.Open(p.file, devicetwin.Config{Node: p.name})
	if err != nil {
		return err
	}
	n := p.w.net
	p.link = edgehub.New(edgehub.Config{
		Hubs: func() []string { return []string{"https://hub:443"} },
		TLS:  func() *tls.Config { return &tls.Config{RootCAs: n.ca, ServerName: "hub", MinVersion: tls.VersionTLS13} },
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial(ctx, p.name) },
	}, h.Store, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	p.wg, p.stop = &sync.WaitGroup{}, stop
	p.wg.Go(func() { _ = h.Run(ctx) }) // an error is that of a crashed disk
	p.wg.Go(func() { _ = p.link.Run(ctx) })
	p.life++
	p.w.mu.Lock()
	p.holder = h
	p.w.mu.Unlock()
	for _, l := range p.w.lamps {
		if l.node == p {
			p.wg.Go(func() { l.drive(ctx, h.Store) })
		}
	}
	return nil
}

func (p *nodeProc) crash() {
	if p.holder == nil {
		return
	}
	p.w.nodeDies(p)
	p.file = p.file.crash()
	p.w.net.each(p.name, func(l *linetest.Line) { l.Cut() })
	p.w.mu.Lock()
	p.holder = nil
	p.w.mu.Unlock()
	p.stop()
	p.wg.Wait()
}
