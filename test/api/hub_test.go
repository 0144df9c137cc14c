package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbridge/cloud/api"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// kept is a bucket of a store.
type kept struct{ file *store.Store }

func (k kept) Get(key string) ([]byte, bool, error) {
	data, err := k.file.Get("api", key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

func (k kept) List(prefix string) ([]api.Record, error) {
	all, err := k.file.Records("api")
	var out []api.Record
	for _, r := range all {
		if strings.HasPrefix(r.Key, prefix) {
			out = append(out, api.Record{Key: r.Key, Data: r.Data})
		}
	}
	return out, err
}

func (k kept) Begin(changes ...api.Change) func() error {
	list := make([]store.Change, len(changes))
	for i, c := range changes {
		list[i] = store.Change{Bucket: "api", Key: c.Key, Data: c.Data}
	}
	return k.file.Begin(list...)
}

// joins is an enrolment that knows no certificate.
type joins struct{}

func (joins) NewToken(node string, validFor time.Duration) (string, time.Time, error) {
	return "join-" + node, time.Now().Add(validFor), nil
}
func (joins) Revoke(string) error             { return twin.ErrNodeUnknown }
func (joins) Expiry(string) (time.Time, bool) { return time.Time{}, false }

type clock struct{ start time.Time }

func (c clock) Now() time.Duration { return time.Since(c.start) + 1 }
func (clock) Wall() time.Time      { return time.Now() }

type nobody struct{}

func (nobody) Wake() {}

// serve runs a hub with three lamps of a node, until the test ends.
func serve(t testing.TB) (base, token string) {
	t.Helper()
	file, err := store.Open(filepath.Join(t.TempDir(), "hub.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	reg, err := embedded.Open(file, log)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := api.New(api.Config{Version: "test", Started: time.Now(), Attempts: 1 << 30}, reg, kept{file}, joins{}, log)
	if err != nil {
		t.Fatal(err)
	}
	if token, _, err = hub.FirstToken(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := deviceapi.NewServer(hub.Handler(), log)
	ctx, cancel := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	var wg sync.WaitGroup
	run, stop := context.WithCancel(context.Background())
	wg.Go(func() {
		if err := reg.Run(run); err != nil {
			t.Error(err)
		}
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	model := twin.Name{Namespace: "default", Name: "lamp"}
	zero, hundred := 0.0, 100.0
	models := []twin.DeviceModel{{Name: model, Properties: []twin.Property{
		{Name: "powerstatus", Type: twin.String}, {Name: "level", Type: twin.Int, Min: &zero, Max: &hundred}, {Name: "watts", Type: twin.Float, Access: twin.ReadOnly},
	}}}
	var devices []twin.Device
	for i := range 3 {
		devices = append(devices, twin.Device{
			Name: twin.Name{Namespace: "default", Name: fmt.Sprintf("lamp%d", i)}, Model: model, Node: "attic", Labels: map[string]string{"room": "hall"},
		})
	}
	if err := reg.Apply(t.Context(), models, devices); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { live(run, t, reg) })
	t.Cleanup(func() {
		cancel()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
		stop()
		wg.Wait()
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String(), token
}

// live is a node with its mapper.
func live(ctx context.Context, t testing.TB, reg *embedded.Registry) {
	const name = "attic"
	inner, err := twin.OpenNode(twin.NodeConfig{Name: name, Version: "test", FileID: "file", NewID: rand.Text}, nil)
	if err != nil {
		t.Error(err)
		return
	}
	n := twin.NewStore(inner, clock{time.Now()}, nobody{})
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	session := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.Tick()
		if b, due := n.TakeBatch(false); due {
			n.Committed(b, nil)
		}
		if _, known := reg.Node(name); !known && session != "" {
			return // somebody deleted the node, and its certificate would not let it in again
		}
		if !reg.Current(name, session) {
			session = greet(ctx, n, reg, name)
			continue
		}
		if d, ok := n.Decisions(); ok {
			reg.Learn(name, session, d)
		}
		if o, ok := n.Observations(100); ok {
			reg.Observe(name, session, o)
		}
		if rev, ok := reg.Ack(name, session); ok {
			n.Acked(rev)
		}
		for _, def := range reg.Definitions(name, session, 100) {
			if n.DefineCloud(def) != nil {
				continue // the hub hears of it by the refusals
			}
		}
		for _, r := range n.Refusals() {
			reg.DefinitionRefused(name, session, r)
		}
		for _, w := range reg.Offers(name, session, 100) {
			n.OfferCloud(w)
		}
		obey(n)
	}
}

func greet(ctx context.Context, n *twin.Store, reg *embedded.Registry, name string) string {
	n.LinkDown()
	session := reg.Connect(name)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if hello, ok := reg.Hello(name, session); ok {
			n.LinkUp(hello)
			if b, due := n.TakeBatch(false); due {
				n.Committed(b, nil)
			}
			answer, _ := n.Hello()
			again := reg.NodeHello(name, session, answer)
			if again == "" {
				return session
			}
			session = again
		}
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
		}
	}
}

// obey does what is offered, and says that the devices are there.
func obey(n *twin.Store) {
	for _, name := range n.Devices() {
		v, err := n.Device(name)
		if err != nil {
			continue
		}
		r := twin.Report{Echo: true, Conn: "test", Props: map[string]twin.PropReport{}}
		for i := range v.Props {
			if p := &v.Props[i]; p.Offered {
				r.Props[p.Def.Name] = twin.PropReport{Value: p.Expected, Wish: p.Wish}
			}
		}
		// What is deleted in between is not there any more; that is no error here.
		if v.Presence != twin.Online {
			_ = n.SetState(name, "online", "test")
		}
		if len(r.Props) > 0 {
			_, _ = n.Report(name, r)
		}
	}
}
