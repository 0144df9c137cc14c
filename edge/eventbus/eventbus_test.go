package eventbus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/twin"
)

func TestFilters(t *testing.T) {
	for _, r := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/c", false},
		{"a/b", "a", false},
		{"a", "a/b", false},
		{"a/b", "a/b/", false},
		{"a/+", "a/b", true},
		{"a/+", "a/b/c", false},
		{"a/+", "a", false},
		{"a/+", "a/", true},
		{"+/b", "a/b", true},
		{"+", "a/b", false},
		{"a/#", "a/b/c", true},
		{"a/#", "a", true},
		{"a/#", "ab", false},
		{"a/+/#", "a/b", true},
		{"a/+/#", "a", false},
		{"#", "a/b", true},
		{"#", "$hw/x", false},
		{"+/x", "$hw/x", false},
		{"$hw/#", "$hw/x", true},
		{"$hw/+/y", "$hw/x/y", true},
		{"/a", "/a", true},
		{"+/a", "/a", true},
		{"/+", "/a", true},
		{"/+", "a", false},
		{"", "a", false},
		{"#/a", "b", false},
		{"$hw/#/a", "$hw/b", false},
	} {
		if got := matches(r.filter, r.topic); got != r.want {
			t.Errorf("%q takes %q: %v, want %v", r.filter, r.topic, got, r.want)
		}
	}
	for _, r := range []struct{ in, want string }{
		{"a/b", "a/b"}, {"$share/g/a/b", "a/b"}, {"$share/g/#", "#"}, {"$share/g", ""}, {"$shared/g/a", "$shared/g/a"},
	} {
		if got := withoutShare(r.in); got != r.want {
			t.Errorf("the filter in %q is %q, want %q", r.in, got, r.want)
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Add("$hw/#", "$hw")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		got := matches(filter, topic)
		if filter == topic && !hasWildcard(filter) && !got {
			t.Fatalf("%q does not take itself", filter)
		}
		if got && !hasWildcard(filter) && filter != topic {
			t.Fatalf("%q takes %q", filter, topic)
		}
		if got && strings.Count(filter, "/") > strings.Count(topic, "/")+1 {
			t.Fatalf("%q takes %q, which has fewer levels", filter, topic)
		}
	})
}

// TestPort: what is wrong with the port shows at once, and a bus that is not run gives it back.
func TestPort(t *testing.T) {
	h := newHouse(t)
	log := slog.New(slog.DiscardHandler)
	if _, err := New(Config{Listen: h.addr}, h.store, log); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that is taken: %v", err)
	}
	var fe *twin.FieldError
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		if _, err := New(Config{Listen: listen}, h.store, log); !errors.As(err, &fe) || fe.Value != listen {
			t.Errorf("%s without users: %v", listen, err)
		}
	}
	b, err := New(Config{Listen: "127.0.0.1:0"}, h.store, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", b.Addr().String())
	if err != nil {
		t.Errorf("the port was not given back: %v", err)
	} else {
		l.Close()
	}
	for _, listen := range []string{"nonsense", "127.0.0.1:99999", "host.invalid:1883"} {
		if _, err := New(Config{Listen: listen}, h.store, log); err == nil {
			t.Errorf("%s: no error", listen)
		}
	}
}

// TestUsers: with users, nobody else gets in.
func TestUsers(t *testing.T) {
	h := newHouse(t)
	b, err := New(Config{Listen: "127.0.0.1:0", Allow: func(user string, password []byte) bool {
		return user == "mapper" && string(password) == "secret"
	}}, h.store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	try := func(user, password string) error {
		t.Helper()
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Addr().String()).SetUsername(user).SetPassword(password).SetConnectRetry(false))
		tok := c.Connect()
		tok.Wait()
		c.Disconnect(0)
		return tok.Error()
	}
	for _, r := range []struct {
		user, password string
		ok             bool
	}{{"mapper", "secret", true}, {"mapper", "secre", false}, {"mapper", "", false}, {"", "", false}, {"other", "secret", false}} {
		if err := try(r.user, r.password); (err == nil) != r.ok {
			t.Errorf("%q %q: %v", r.user, r.password, err)
		}
	}
	if s := b.Stats(); s.Denied < 4 {
		t.Errorf("stats %+v", s)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the bus ended with %v", err)
	}
}

// TestOurs: what only the edge says is known by its ends, and nothing else is.
func TestOurs(t *testing.T) {
	for _, r := range []struct {
		name string
		want bool
	}{
		{two + "/twin/update", false},
		{two + "/twin/update/result", true},
		{one + "/twin/update/delta", true},
		{two + "/twin/update/document", true},
		{two + "/twin/get", false},
		{two + "/twin/get/result", true},
		{two + "/twin/cloud_updated", false},
		{two + "/updated", true},
		{"$hw/events/node/n/membership/updated", true},
		{"$hw/events/node/n/membership/get", false},
		{"home/delta", false},
		{"$twinbridge/mapper/x/lost", false},
		{"$ke/events/device/lamp/data/update", false},
	} {
		if got := ours(r.name); got != r.want {
			t.Errorf("%s: %v, want %v", r.name, got, r.want)
		}
	}
}
