package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbridge/internal/certtest"
)

// connect311 is CONNECT as another client (mosquitto_pub 2.0.11 -i tb -u me -P no -V 311) sends it, but for the keep alive.
var connect311 = []byte("\x10\x16\x00\x04MQTT\x04\xc2\x00\x0a\x00\x02tb\x00\x02me\x00\x02no")

func TestConnectPacket(t *testing.T) {
	got, err := appendConnect([]byte{0xFF}, "tb", "me", "no")
	if err != nil || !bytes.Equal(got[1:], connect311) || got[0] != 0xFF {
		t.Errorf("% x, %v; want % x", got, err, connect311)
	}
	if got, err := appendConnect(nil, "tb", "", "no"); err != nil || got[9] != flagClean || len(got) != 16 {
		t.Errorf("without a user: % x, %v", got, err)
	}
	// 127 bytes have one digit of length, 128 have two.
	for pad, head := range map[int][]byte{115: {0x10, 127}, 116: {0x10, 0x80, 1}} {
		if got, err := appendConnect(nil, strings.Repeat("x", pad), "", ""); err != nil || !bytes.HasPrefix(got, head) || len(got) != len(head)+12+pad {
			t.Errorf("client id of %d bytes: % x, %v; want the head % x", pad, got[:4], err, head)
		}
	}
	if _, err := appendConnect(nil, strings.Repeat("x", maxField+1), "", ""); err == nil {
		t.Error("a field of 64 KiB is taken")
	}
}

func TestParseConnack(t *testing.T) {
	good := []byte{0x20, 2, 1, 5, 99}
	code, n, err := parseConnack(good)
	if code != connDenied || n != 4 || err != nil {
		t.Errorf("%d, %d, %v", code, n, err)
	}
	for i := range 4 {
		if _, _, err := parseConnack(good[:i]); !errors.Is(err, errShort) {
			t.Errorf("%d bytes: %v, want %v", i, err, errShort)
		}
	}
	for _, bad := range [][]byte{[]byte("HTTP"), {0x30, 2, 0, 0}, {0x20, 3, 0, 0}, {0x20, 2, 2, 0}, {0x20, 2, 0, 6}} {
		if _, _, err := parseConnack(bad); !errors.Is(err, errNoMQ) {
			t.Errorf("% x: %v, want %v", bad, err, errNoMQ)
		}
	}
}

func FuzzConnack(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0})
	f.Add([]byte{0x20, 2, 1, 5, 99})
	f.Add([]byte("HTTP/1.1 400"))
	f.Fuzz(func(t *testing.T, b []byte) {
		code, n, err := parseConnack(b)
		if err == nil && (n != 4 || !bytes.Equal(b[:4], []byte{0x20, 2, b[2] & 1, code})) {
			t.Errorf("% x: code %d, %d bytes", b, code, n)
		}
	})
}

// answers serves a broker that answers CONNECT so, and waits for the end.
func answers(t *testing.T, text string) func(net.Conn) {
	return func(c net.Conn) {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return // a handshake that the client gave up
		}
		if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil || head[0] != typeConnect {
			t.Errorf("CONNECT: % x, %v", head, err)
		}
		if text == "" {
			return
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Error(err)
		}
		rest, err := io.ReadAll(c)
		if want := []byte{typeDisconnect, 0}; text == "\x20\x02\x00\x00" && (err != nil || !bytes.Equal(rest, want)) {
			t.Errorf("after CONNACK: % x, %v; want DISCONNECT", rest, err)
		}
	}
}

func TestCheckBroker(t *testing.T) {
	dns := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere"}}
	for name, tt := range map[string]struct {
		node *Node
		b    Broker
		say  string
		want want
	}{
		"taken":           {running(), Broker{URL: "tcp://b:1883"}, "\x20\x02\x00\x00", want{OK, "tcp://b:1883: connected", ""}},
		"with a user":     {running(), Broker{URL: "tcp://b:1883", User: "me", Password: "no"}, "\x20\x02\x00\x00", want{OK, "as user me", ""}},
		"own":             {running(), Broker{URL: "tcp://b:1883", Own: true}, "\x20\x02\x00\x00", want{OK, "connected", ""}},
		"own, stopped":    {stopped(), Broker{URL: "tcp://b:1883", Own: true}, "", want{Skipped, "does not run", ""}},
		"any port":        {running(), Broker{Own: true}, "", want{Skipped, "any free port", ""}},
		"bad certificate": {stopped(), Broker{URL: "ssl://b:1883", Err: errOther}, "", want{Fail, "something else", "mqtt.ca"}},
		"bad address":     {stopped(), Broker{URL: "tcp://b"}, "", want{Fail, "is no address", "mqtt.broker"}},
		"wrong password":  {stopped(), Broker{URL: "tcp://b:1883", User: "me"}, "\x20\x02\x00\x05", want{Fail, "refused with user me (code 5)", "mqtt.password"}},
		"needs a user":    {stopped(), Broker{URL: "tcp://b:1883"}, "\x20\x02\x00\x04", want{Fail, "refused without a user", "mqtt.user"}},
		"old broker":      {stopped(), Broker{URL: "tcp://b:1883"}, "\x20\x02\x00\x01", want{Fail, "3.1.1", "Mosquitto"}},
		"client id":       {stopped(), Broker{URL: "tcp://b:1883"}, "\x20\x02\x00\x02", want{Warn, "client id", "begin with twinbridge"}},
		"not available":   {stopped(), Broker{URL: "tcp://b:1883"}, "\x20\x02\x00\x03", want{Fail, "not available", "log"}},
		"no broker":       {stopped(), Broker{URL: "tcp://b:1883"}, "HTTP/1.1 400 Bad Request\r\n\r\n", want{Fail, "not MQTT", "correct the address"}},
		"closes":          {stopped(), Broker{URL: "tcp://b:1883"}, "", want{Fail, "CONNACK", "ssl://"}},
		"TLS to no TLS":   {stopped(), Broker{URL: "ssl://b:1883"}, "HTTP/1.1 400 Bad Request\r\n\r\n", want{Fail, "TLS:", "does not speak TLS"}},
		"refused":         {stopped(), Broker{URL: "tcp://b:1883", Dial: failing(syscall.ECONNREFUSED)}, "", want{Fail, "refused", "start the broker"}},
		"unreachable":     {stopped(), Broker{URL: "tcp://b:1883", Dial: failing(syscall.EHOSTUNREACH)}, "", want{Fail, "no route", "cable"}},
		"silence":         {stopped(), Broker{URL: "tcp://b:1883", Dial: failing(context.DeadlineExceeded)}, "", want{Fail, "deadline", "firewall"}},
		"unknown name":    {stopped(), Broker{URL: "tcp://b:1883", Dial: failing(dns)}, "", want{Fail, "no such host", "cannot be resolved"}},
		"other trouble":   {stopped(), Broker{URL: "tcp://b:1883", Dial: failing(errOther)}, "", want{Fail, "something else", "its address right"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.b.Dial == nil {
				serve := answers(t, tt.say)
				if strings.HasPrefix(tt.b.URL, "ssl") {
					serve = func(c net.Conn) { // what is no TLS is answered in clear
						io.ReadFull(c, make([]byte, 5))
						io.WriteString(c, tt.say)
					}
				}
				tt.b.Dial = scripted(t, serve)
			}
			tt.b.Now = time.Now
			tt.want.check(t, look(t, CheckBroker(tt.node, tt.b)))
		})
	}
}

// TestBrokerTLS: who is trusted, and when, decides; nobody turns that off.
func TestBrokerTLS(t *testing.T) {
	a := certtest.New(t, t.TempDir(), "ours")
	a.Issue("broker", "b")
	pair := a.Pair("broker")
	at := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for name, tt := range map[string]struct {
		url    string
		now    func() time.Time
		client *tls.Config
		server *tls.Config
		want   want
	}{
		"trusted":     {"ssl://b:8883", time.Now, &tls.Config{RootCAs: a.Pool}, &tls.Config{}, want{OK, "connected", ""}},
		"not trusted": {"ssl://b:8883", time.Now, &tls.Config{}, &tls.Config{}, want{Fail, "unknown authority", "mqtt.ca"}},
		"other name":  {"ssl://c:8883", time.Now, &tls.Config{RootCAs: a.Pool}, &tls.Config{}, want{Fail, "valid for b", "another name"}},
		"expired":     {"ssl://b:8883", at(48 * time.Hour), &tls.Config{RootCAs: a.Pool}, &tls.Config{}, want{Fail, "expired", "renew the certificate"}},
		"clock":       {"ssl://b:8883", at(-48 * time.Hour), &tls.Config{RootCAs: a.Pool}, &tls.Config{}, want{Fail, "not yet valid", "set the clock"}},
		"wants, 1.3":  {"ssl://b:8883", time.Now, &tls.Config{RootCAs: a.Pool}, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool}, want{Fail, "certificate required", "mqtt.certificate"}},
		"wants ours":  {"ssl://b:8883", time.Now, &tls.Config{RootCAs: a.Pool, MaxVersion: tls.VersionTLS12}, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool}, want{Fail, "TLS:", "asks for one"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := tt.server.Clone()
			server.Certificates, server.MinVersion = pair, tls.VersionTLS12
			dial := scripted(t, func(c net.Conn) {
				s := tls.Server(c, server)
				if s.HandshakeContext(t.Context()) == nil {
					answers(t, "\x20\x02\x00\x00")(s)
				}
			})
			conf := tt.client.Clone()
			conf.Time, conf.MinVersion = tt.now, tls.VersionTLS12
			tt.want.check(t, look(t, CheckBroker(stopped(), Broker{URL: tt.url, TLS: conf, Dial: dial, Now: tt.now})))
		})
	}
}

// TestBrokerSilent: a broker that takes the connection and says nothing costs the time of the check, no more.
func TestBrokerSilent(t *testing.T) {
	dial := scripted(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	c := CheckBroker(stopped(), Broker{URL: "tcp://b:1883", Dial: dial, Now: time.Now})
	c.Limit = 50 * time.Millisecond
	f := look(t, c)
	want{Fail, "CONNACK", "says nothing"}.check(t, f)
	if slices.Contains(f.Seen, "no end") {
		t.Error(f)
	}
}
