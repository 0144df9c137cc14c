package devicetwin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lamp = twin.Name{Namespace: "default", Name: "lamp"}

// rig is a holder that runs, in a bubble of testing/synctest, on a disk that does what a test says.
type rig struct {
	t    *testing.T
	disk *disk
	h    *Holder
	log  *logBook
	stop context.CancelFunc
	done chan error
}

func newRig(t *testing.T, d *disk) *rig {
	t.Helper()
	r := &rig{t: t, disk: d, log: &logBook{}, done: make(chan error, 1)}
	var err error
	r.h, err = Open(d, Config{Node: "node1", Log: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

func (r *rig) run() *rig {
	ctx, stop := context.WithCancel(r.t.Context())
	r.stop = stop
	go func() { r.done <- r.h.Run(ctx) }()
	return r
}

// end stops the holder and gives what Run returned.
func (r *rig) end() error {
	r.stop()
	return <-r.done
}

func defineLamp(t *testing.T, s *twin.Store) {
	t.Helper()
	err := s.Apply(nil, []twin.Device{{Name: lamp, Properties: []twin.Property{
		{Name: "power", Type: twin.Bool},
		{Name: "level", Type: twin.Int, Access: twin.ReadOnly},
	}}})
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func ask(t *testing.T, s *twin.Store, on bool) twin.WishView {
	t.Helper()
	v, err := s.Ask(lamp, twin.Wish{ID: s.NewID(), Origin: twin.FromHomeKit, Values: map[string]twin.Value{"power": twin.BoolValue(on)}})
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	return v
}

func reportLevel(t *testing.T, s *twin.Store, level int64) {
	t.Helper()
	_, err := s.Report(lamp, twin.Report{Props: map[string]twin.PropReport{"level": {Value: twin.IntValue(level)}}})
	if err != nil {
		t.Fatalf("Report: %v", err)
	}
}

func expected(t *testing.T, s *twin.Store) twin.Value {
	t.Helper()
	v, err := s.Device(lamp)
	if err != nil {
		t.Fatalf("Device: %v", err)
	}
	return v.Prop("power").Expected
}

func level(t *testing.T, s *twin.Store) int64 {
	t.Helper()
	v, err := s.Device(lamp)
	if err != nil {
		t.Fatalf("Device: %v", err)
	}
	return v.Prop("level").Actual.Int()
}

// disk is a File in memory that fails or hangs as it is told.
type disk struct {
	mu       sync.Mutex
	id       store.ID
	data     map[string][]byte
	err      error         // what Commit gives; nil: it succeeds
	hang     chan struct{} // Commit waits until it is closed; nil: it does not
	attempts []time.Time
	commits  int
}

func newDisk() *disk { return &disk{id: store.ID{1}, data: map[string][]byte{}} }

func (d *disk) ID() store.ID { return d.id }

func (d *disk) Records(b string) ([]store.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return nil, d.err
	}
	var list []store.Record
	for _, k := range slices.Sorted(maps.Keys(d.data)) {
		if key, ok := strings.CutPrefix(k, b+":"); ok {
			list = append(list, store.Record{Key: key, Data: d.data[k]})
		}
	}
	return list, nil
}

func (d *disk) Commit(changes ...store.Change) error {
	d.mu.Lock()
	d.attempts = append(d.attempts, time.Now())
	hang := d.hang
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.commits++
	for _, c := range changes {
		if c.Data == nil {
			delete(d.data, c.Bucket+":"+c.Key)
		} else {
			d.data[c.Bucket+":"+c.Key] = bytes.Clone(c.Data)
		}
	}
	return nil
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func (d *disk) counts() (commits, attempts int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.commits, len(d.attempts)
}

// copy is the disk as another process finds it after a crash now.
func (d *disk) copy() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &disk{id: d.id, data: maps.Clone(d.data)}
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) count(level slog.Level) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "level="+level.String())
}

var errDisk = errors.New("input/output error")
