package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/metrics"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// newMetrics shows the numbers that the rooms keep.
func newMetrics(o *Options, s *twin.Store, file *store.Store, mqtt *bus, hub *link, h *hands) (*metrics.Registry, error) {
	r, err := metrics.New(o.Version)
	if err != nil {
		return nil, err
	}
	return r, errors.Join(r.Add(twinNumbers(s)), r.Add(diskNumbers(file, s)), r.Add(busNumbers(mqtt)), r.Add(linkNumbers(hub)),
		r.Add(homekitNumbers(h)), r.Add(mdnsNumbers(h)))
}

func gauge(name, help string, v float64) metrics.Metric {
	return metrics.Metric{Name: "twinbridge_" + name, Help: help, Value: v}
}

func counter(name, help string, v uint64) metrics.Metric {
	return metrics.Metric{Name: "twinbridge_" + name + "_total", Help: help, Kind: metrics.Counter, Value: float64(v)}
}

func of(m metrics.Metric, label, value string) metrics.Metric {
	m.Label, m.Of = label, value
	return m
}

func twinNumbers(s *twin.Store) metrics.Source {
	return func(emit func(metrics.Metric)) {
		st := s.Stats()
		for _, p := range []struct {
			presence twin.Presence
			n        int
		}{{twin.Online, st.Online}, {twin.Offline, st.Offline}, {twin.Unknown, st.Devices - st.Online - st.Offline}} {
			emit(of(gauge("devices", "Devices by presence.", float64(p.n)), "presence", string(p.presence)))
		}
		emit(gauge("wishes_pending", "Wishes that have not ended.", float64(st.Pending)))
		for _, outcome := range []twin.Outcome{twin.Applied, twin.Failed, twin.Superseded, twin.Expired, twin.Refused} {
			emit(of(counter("wishes", "Wishes that ended, by outcome.", st.Wishes[outcome]), "outcome", string(outcome)))
		}
		emit(counter("reports", "Reports of mappers that were taken.", st.Reports))
		emit(counter("states", "Words of mappers about a device's state.", st.States))
		emit(counter("offers", "Times that pending values were handed to a mapper.", st.Offers))
		emit(counter("restores", "Times that a device was put back to what is expected.", st.Restores))
		emit(counter("acts", "Times that expected followed a hand on the device.", st.Acts))
		emit(gauge("rev", "Revision of the last decision.", float64(st.Rev)))
		emit(gauge("rev_durable", "Revision up to which decisions are on disk.", float64(st.DurableRev)))
	}
}

func diskNumbers(file *store.Store, s *twin.Store) metrics.Source {
	return func(emit func(metrics.Metric)) {
		st := file.Stats()
		bad := 0.0
		if s.DiskError() != nil {
			bad = 1
		}
		emit(gauge("disk_failing", "1 while the disk does not take decisions.", bad))
		emit(gauge("store_bytes", "Size of the store's file.", float64(st.FileBytes)))
		emit(counter("store_commits", "Transactions on disk.", st.Commits))
		emit(counter("store_failures", "Transactions that failed.", st.Failures))
		emit(gauge("store_commit_seconds_last", "How long the last transaction took.", st.LastTook.Seconds()))
		emit(gauge("store_commit_seconds_max", "How long the longest transaction took.", st.MaxTook.Seconds()))
		emit(metrics.Metric{Name: "twinbridge_store_commit_seconds_total", Help: "How long all transactions took.", Kind: metrics.Counter, Value: st.TotalTook.Seconds()})
	}
}

func busNumbers(b *bus) metrics.Source {
	return func(emit func(metrics.Metric)) {
		st := b.stats()
		connected := 1.0
		if b.health() != nil {
			connected = 0
		}
		emit(gauge("mqtt_connected", "1 while the node has its MQTT broker; with the one in this process always.", connected))
		emit(gauge("mqtt_clients", "MQTT clients that are connected to the broker in this process.", float64(st.Clients)))
		for _, k := range []struct {
			kind string
			n    uint64
		}{{"report", st.Reports}, {"wish", st.Wishes}, {"state", st.States}, {"get", st.Gets}} {
			emit(of(counter("mqtt_messages", "Messages about devices that were received, by kind.", k.n), "kind", k.kind))
		}
		emit(counter("mqtt_deltas", "Deltas that were published.", st.Deltas))
		for _, k := range []struct {
			code string
			n    uint64
		}{{"400", st.Bad}, {"404", st.NotFound}, {"500", st.Faults}} {
			emit(of(counter("mqtt_errors", "Messages that were answered with an error, by code.", k.n), "code", k.code))
		}
		emit(counter("mqtt_refused", "Messages of clients on topics that are the edge's.", st.Refused))
		emit(counter("mqtt_denied", "Connections with a wrong user or password.", st.Denied))
		emit(counter("mqtt_dropped", "Messages for which a reader, or a broker elsewhere, had no room.", st.Dropped))
		emit(counter("mqtt_repeated", "Messages that a broker elsewhere delivered twice, and that were taken once.", st.Repeated))
	}
}

func linkNumbers(l *link) metrics.Source {
	return func(emit func(metrics.Metric)) {
		hub := l.hub.Load()
		if hub == nil {
			return // it has joined none
		}
		st, up := hub.Stats(), 0.0
		if st.Connected {
			up = 1
		}
		emit(gauge("link_up", "1 while the node has a session with its hub.", up))
		emit(counter("link_sessions", "Sessions with the hub that came up.", st.Sessions))
		emit(gauge("link_refused", "Definitions of this node that the hub does not take.", float64(len(l.twins.HubRefusals()))))
	}
}

// page serves /metrics and /healthz, and nothing else, on a network address.
type page struct {
	l      net.Listener // nil: it is switched off
	server *http.Server
}

func listenMetrics(o *Options, numbers, all http.Handler) (*page, error) {
	if o.Config.Metrics.Listen == "" {
		return &page{}, nil
	}
	l, err := net.Listen("tcp", o.Config.Metrics.Listen)
	if err != nil {
		return nil, o.listenError("metrics.listen", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", numbers)
	mux.Handle("GET /healthz", all)
	return &page{l: deviceapi.LimitConns(l, maxReaders), server: deviceapi.NewServer(mux, slog.New(o.Log.Handler()))}, nil
}

// maxReaders bounds who reads numbers at once.
const maxReaders = 16

func (p *page) addr() string {
	if p.l == nil {
		return ""
	}
	return p.l.Addr().String()
}

func (p *page) run(ctx context.Context) error {
	if p.l == nil {
		<-ctx.Done()
		return nil
	}
	return deviceapi.Serve(ctx, p.server, p.l, p.addr())
}

// close gives up an address that is not served.
func (p *page) close() error { return deviceapi.CloseListener(p.l) }
