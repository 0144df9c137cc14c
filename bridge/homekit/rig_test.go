package homekit

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbridge/internal/haptest"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody is a journal that makes nothing durable.
type nobody struct{}

func (nobody) Wake() {}

type clock struct{ start time.Time }

func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }
func (clock) Wall() time.Time      { return time.Now() }

// home is a running bridge over a store of twins, without broker and mapper: the test is the device.
type home struct {
	testing.TB
	twins  *twin.Store
	file   *store.Store
	bridge *Bridge
	stop   func()
	config Config
}

// lampModel is a lamp with a brightness.
func lampModel() twin.DeviceModel {
	return twin.DeviceModel{Name: name("lamp"), Properties: []twin.Property{
		{Name: "powerstatus", Type: twin.String, Enum: []string{"ON", "OFF"}},
		{Name: "brightness", Type: twin.Int, Min: ptr(0), Max: ptr(100), Unit: "%"},
	}, Annotations: map[string]string{"kind": "lamp"}}
}

func ptr(f float64) *float64 { return &f }

// newHome starts one with some lamps.
func newHome(t testing.TB, lamps ...string) *home {
	t.Helper()
	node, err := twin.OpenNode(twin.NodeConfig{Name: "cellar", FileID: "file", NewID: rand.Text}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &home{TB: t, twins: twin.NewStore(node, clock{time.Now()}, nobody{}), file: openFile(t, filepath.Join(t.TempDir(), "edge.db"))}
	h.config = Config{Name: "Cellar", Listen: "127.0.0.1:0", Bridges: 1, Version: "v1.2.3-4-gabc", Log: slog.New(slog.DiscardHandler)}
	h.define(lampModel())
	for _, l := range lamps {
		h.lamp(l)
	}
	h.start()
	return h
}

func (h *home) start() {
	h.Helper()
	var err error
	if h.bridge, err = Open(h.config, h.twins, h.file); err != nil {
		h.Fatal(err)
	}
	if err := h.bridge.Listen(); err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.bridge.Run(ctx); err != nil {
			h.Error(err)
		}
	})
	h.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	h.Cleanup(h.stop)
}

// restart ends the bridge and opens it again on the same store.
func (h *home) restart() {
	h.Helper()
	h.stop()
	h.start()
}

func (h *home) define(m twin.DeviceModel, devices ...twin.Device) {
	h.Helper()
	if err := h.twins.Apply([]twin.DeviceModel{m}, devices); err != nil {
		h.Fatal(err)
	}
}

// lamp defines a lamp, with notes as key and value, and lets it report that it is off.
func (h *home) lamp(n string, notes ...string) {
	h.Helper()
	d := twin.Device{Name: name(n), Model: name("lamp"), Annotations: map[string]string{}}
	for i := 0; i+1 < len(notes); i += 2 {
		d.Annotations[notes[i]] = notes[i+1]
	}
	if err := h.twins.Apply(nil, []twin.Device{d}); err != nil {
		h.Fatal(err)
	}
	h.report(n, map[string]twin.Value{"powerstatus": twin.StringValue("OFF"), "brightness": twin.IntValue(10)})
}

// report is what a mapper that names wishes says of a device.
func (h *home) report(n string, values map[string]twin.Value) {
	h.Helper()
	v, err := h.twins.Device(name(n))
	if err != nil {
		h.Fatal(err)
	}
	r := twin.Report{Props: map[string]twin.PropReport{}, Echo: true}
	for p, value := range values {
		r.Props[p] = twin.PropReport{Value: value, Wish: v.Prop(p).Wish}
	}
	if _, err := h.twins.Report(name(n), r); err != nil {
		h.Fatal(err)
	}
}

func (h *home) state(n, state string) {
	h.Helper()
	if err := h.twins.SetState(name(n), state, ""); err != nil {
		h.Fatal(err)
	}
}

func (h *home) device(n string) *twin.View {
	h.Helper()
	v, err := h.twins.Device(name(n))
	if err != nil {
		h.Fatal(err)
	}
	return &v
}

// phone is a controller that has paired.
type phone struct {
	*home
	who  *haptest.Controller
	acc  haptest.Accessory
	addr string
}

// pair pairs a phone with the bridge.
func (h *home) pair() *phone {
	h.Helper()
	who, err := haptest.NewController()
	if err != nil {
		h.Fatal(err)
	}
	p := &phone{home: h, who: who, addr: h.addr()}
	if p.acc, err = who.PairSetup(h.Context(), p.addr, h.bridge.State().Sides[0].Code); err != nil {
		h.Fatal(err)
	}
	return p
}

func (h *home) addr() string { return h.bridge.sides[0].server.Addr().String() }

// dial opens a connection.
func (p *phone) dial() *haptest.Conn {
	p.Helper()
	c, err := p.who.Dial(p.Context(), p.home.addr(), p.acc)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { c.Close() })
	return c
}

// ids finds the characteristics of a type by the name of their accessory.
func (p *phone) ids(c *haptest.Conn, typ string) map[string]haptest.ID {
	p.Helper()
	db, err := c.Accessories(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	out := map[string]haptest.ID{}
	for _, a := range db.Accessories {
		label := ""
		for _, s := range a.Services {
			for _, ch := range s.Characteristics {
				if haptest.Short(ch.Type) == "23" && haptest.Short(s.Type) == "3E" {
					label = string(ch.Value)
				}
			}
		}
		for _, s := range a.Services {
			for _, ch := range s.Characteristics {
				if haptest.Short(ch.Type) == typ {
					out[label[1:len(label)-1]] = haptest.ID{AID: a.AID, IID: ch.IID}
				}
			}
		}
	}
	return out
}
