// Package metrics shows the numbers that rooms keep in Prometheus' text format.
//
// A room counts in plain fields and knows no Prometheus. Who wires the program adds a [Source] for each room, which turns
// its numbers into metrics at the moment somebody asks. So nothing is counted twice, and without a reader it costs
// nothing.
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Kind tells whether a number only grows.
type Kind uint8

// A Gauge goes up and down; a Counter only up, from 0 at the start of the process.
const (
	Gauge Kind = iota
	Counter
)

// Metric is one number.
type Metric struct {
	Name string // twinbridge_..., a counter's ending in _total
	Help string
	Kind Kind
	// Label and Of tell numbers of one name apart; empty: there is one.
	Label, Of string
	Value     float64
}

// Source gives the numbers of a room as they are now. It is called by several goroutines, must not block, and gives each
// metric once.
type Source func(emit func(Metric))

// Registry gathers sources.
type Registry struct{ reg *prometheus.Registry }

// New makes a registry with the numbers of the process and of Go's runtime, and one that names the version.
func New(version string) (*Registry, error) {
	r := &Registry{reg: prometheus.NewRegistry()}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := r.reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return r, r.Add(func(emit func(Metric)) {
		emit(Metric{Name: "twinbridge_build_info", Help: "1; the version is in the label.", Label: "version", Of: version, Value: 1})
	})
}

// Add adds a source.
func (r *Registry) Add(s Source) error {
	if err := r.reg.Register(unchecked(s)); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

// Handler serves the numbers, to few readers at once.
func (r *Registry) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

// unchecked is a source as Prometheus wants it. It describes nothing beforehand, as which outcomes or kinds of message
// there are is the room's affair.
type unchecked Source

func (unchecked) Describe(chan<- *prometheus.Desc) {}

func (u unchecked) Collect(out chan<- prometheus.Metric) {
	u(func(m Metric) {
		var labels, values []string
		if m.Label != "" {
			labels, values = []string{m.Label}, []string{m.Of}
		}
		kind := prometheus.GaugeValue
		if m.Kind == Counter {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(m.Name, m.Help, labels, nil)
		pm, err := prometheus.NewConstMetric(desc, kind, m.Value, values...)
		if err != nil {
			pm = prometheus.NewInvalidMetric(desc, err)
		}
		out <- pm
	})
}
