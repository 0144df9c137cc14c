package eventbus

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// scripted is a broker that does as the test says, with one client at a time.
type scripted struct {
	t     *testing.T
	l     net.Listener
	grant byte // for each filter
	conns chan net.Conn
	heard chan packets.ControlPacket // all but what belongs to connecting
}

func newScripted(t *testing.T, grant byte) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{t, l, grant, make(chan net.Conn, 10), make(chan packets.ControlPacket, 1000)}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { c.Close() })
			wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); cancel(); wg.Wait() })
	return s
}

func (s *scripted) serve(c net.Conn) {
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			if err := packets.NewControlPacket(packets.Connack).Write(c); err != nil {
				return
			}
		case *packets.SubscribePacket:
			a := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			a.MessageID, a.ReturnCodes = p.MessageID, bytes.Repeat([]byte{s.grant}, len(p.Topics))
			if err := a.Write(c); err != nil {
				return
			}
			s.conns <- c
		default:
			select {
			case s.heard <- p:
			default:
			}
		}
	}
}

// deliver sends a message, QoS 1.
func (s *scripted) deliver(c net.Conn, id uint16, dup bool, name, payload string) {
	s.t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.MessageID, p.Dup, p.TopicName, p.Payload = 1, id, dup, name, []byte(payload)
	if err := p.Write(c); err != nil {
		s.t.Fatal(err)
	}
}

// acknowledged waits for n acknowledgements.
func (s *scripted) acknowledged(n int) {
	s.t.Helper()
	limit := time.After(10 * time.Second)
	for n > 0 {
		select {
		case p := <-s.heard:
			if _, ok := p.(*packets.PubackPacket); ok {
				n--
			}
		case <-limit:
			s.t.Fatalf("%d messages were not acknowledged", n)
		}
	}
}

// TestExternalRefusedFilter: a broker that lets the node in and not hear is no broker.
func TestExternalRefusedFilter(t *testing.T) {
	s := newScripted(t, 0x80)
	h := newOutside(t, ExternalConfig{Broker: "tcp://" + s.l.Addr().String()}, "lamp")
	h.troubled("subscribe to $hw/events/device/+/+/state/update: refused by the broker", "access rules")
}

// TestExternalRedelivery: a broker that delivers a message again, with the flag DUP, is told that it arrived and not
// obeyed twice: in between the house has wished something else.
func TestExternalRedelivery(t *testing.T) {
	s := newScripted(t, 1)
	h := newOutside(t, ExternalConfig{Broker: "tcp://" + s.l.Addr().String()}, "lamp")
	c := <-s.conns
	update := two + "/twin/update"
	s.deliver(c, 1, false, update, wished("w1", "powerstatus", "ON"))
	s.acknowledged(1)
	eventually(t, func() (bool, string) {
		p := h.prop("lamp", "powerstatus")
		return p.Expected == twin.StringValue("ON"), "the wish was not taken"
	})
	h.wish("lamp", "powerstatus", twin.StringValue("OFF"))
	for range 3 {
		s.deliver(c, 1, true, update, wished("w1", "powerstatus", "ON"))
	}
	// The flag on a message that was not there before is somebody else's.
	s.deliver(c, 2, true, update, report("r1", "level", "5"))
	s.acknowledged(4)
	eventually(t, func() (bool, string) {
		return h.prop("lamp", "level").Actual == twin.IntValue(5), "the report was not taken"
	})
	if p := h.prop("lamp", "powerstatus"); p.Expected != twin.StringValue("OFF") {
		t.Errorf("a repetition undid what the house wished: %+v", p)
	}
	if st := h.ext.Stats(); st.Repeated != 3 || st.Wishes != 1 {
		t.Errorf("stats %+v", st)
	}
}

// TestExternalBreaks: a broker that breaks off again and again, whatever it sends, leaves nothing behind.
func TestExternalBreaks(t *testing.T) {
	for name, text := range map[string]string{
		"nothing ...":       "",
		"half a packet ...": "\x32\x20\x00\x05",
		"no MQTT ...":       "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a huge answer":     "\x90\xff\xff\xff\x7f",
		"a wrong topic":     "\x30\x05\x00\xff$hw",
		"a wrong length":    "\x30\xff\xff\xff\xff\x01",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t, 1)
			h := newOutside(t, ExternalConfig{Broker: "tcp://" + s.l.Addr().String()}, "lamp")
			c := <-s.conns
			h.linked()
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "...") {
				c.Close()
			}
			h.troubled(s.l.Addr().String())
			next := <-s.conns // it comes back
			h.linked()
			s.deliver(next, 1, false, two+"/twin/update", report("r", "level", "5"))
			eventually(t, func() (bool, string) {
				return h.prop("lamp", "level").Actual == twin.IntValue(5), "the report was not taken"
			})
		})
	}
}

// TestExternalStalled stops the broker in the middle of everything: the house goes on, nothing grows, and when the broker
// goes on what is true then arrives.
func TestExternalStalled(t *testing.T) {
	f := startForeign(t)
	h := at(t, f, "lamp")
	c := h.connect(two + "/twin/update/document")
	c.publish(two+"/twin/update", report("r", "level", "0"))
	c.next(topic.TwinDocument)
	before := runtime.NumGoroutine()
	f.signal(syscall.SIGSTOP)
	defer func() {
		if f.cmd != nil {
			f.signal(syscall.SIGCONT)
		}
	}()

	// The wishes take no time, and the node soon knows that nobody takes them.
	start := time.Now()
	var slowest time.Duration
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; h.ext.Trouble() == nil && time.Since(start) < 30*time.Second; i++ {
		<-tick.C
		at := time.Now()
		h.wish("lamp", "level", twin.IntValue(int64(i)))
		slowest = max(slowest, time.Since(at))
		if i%100 == 99 {
			if got := runtime.NumGoroutine(); got > before+10 {
				t.Fatalf("%d goroutines, %d before", got, before)
			}
		}
	}
	h.troubled(f.addr)
	t.Logf("noticed after %v, slowest wish %v", time.Since(start).Round(time.Millisecond), slowest.Round(time.Microsecond))
	if slowest > time.Second {
		t.Errorf("a wish took %v", slowest)
	}
	if got := len(h.ext.out.list); got > queueLength {
		t.Errorf("%d messages wait", got)
	}

	f.signal(syscall.SIGCONT)
	h.linked()
	w := h.wish("lamp", "powerstatus", twin.StringValue("ON"))
	d := h.connect(two + "/twin/update/delta")
	for {
		m := read(t, d.next(topic.TwinDelta), topic.DecodeDelta)
		if tw := m.Find("powerstatus"); tw != nil && tw.Expected.Wish == w.ID {
			break
		}
	}
	d.publish(two+"/twin/update", report("", "powerstatus", "ON"))
	if got := h.ended(w); got != twin.Applied {
		t.Errorf("the wish is %s", got)
	}
	eventually(t, func() (bool, string) {
		got := runtime.NumGoroutine()
		return got <= before+15, "too many goroutines" // those of the second client
	})
}

// TestExternalEnds: the end of the node is quick, whatever the broker does.
func TestExternalEnds(t *testing.T) {
	f := startForeign(t)
	for _, what := range []string{"running", "stopped", "gone"} {
		h := at(t, f, "lamp")
		switch what {
		case "stopped":
			f.signal(syscall.SIGSTOP)
			for i := range 300 { // something waits to be told
				h.wish("lamp", "level", twin.IntValue(int64(i)))
			}
		case "gone":
			f.kill()
		}
		start := time.Now()
		h.stop()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: the end took %v", what, took)
		}
		if what == "stopped" {
			f.signal(syscall.SIGCONT)
		}
	}
	// While it connects, too.
	f.start()
	f.signal(syscall.SIGSTOP)
	h := newOutside(t, ExternalConfig{Broker: "tcp://" + f.addr}, "lamp")
	start := time.Now()
	h.stop()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("connecting: the end took %v", took)
	}
}
