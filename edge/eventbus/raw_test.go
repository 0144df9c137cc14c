package eventbus

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

// Packets by hand, for what no client library does.

func field(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

func packet(kind byte, body []byte) []byte {
	out := []byte{kind}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			out = append(out, b|0x80)
			continue
		}
		return append(append(out, b), body...)
	}
}

// connectPacket is an MQTT 3.1.1 CONNECT with a keepalive of 60 s and, if will is not "", a retained will.
func connectPacket(id, will, payload string, clean bool) []byte {
	flags := byte(0)
	if clean {
		flags |= 2
	}
	if will != "" {
		flags |= 4 | 32
	}
	body := append(field("MQTT"), 4, flags, 0, 60)
	body = append(body, field(id)...)
	if will != "" {
		body = append(append(body, field(will)...), field(payload)...)
	}
	return packet(0x10, body)
}

func publishPacket(topic, payload string) []byte {
	return packet(0x30, append(field(topic), payload...))
}

func subscribePacket(id byte, filters ...string) []byte {
	body := []byte{0, id}
	for _, f := range filters {
		body = append(append(body, field(f)...), 0)
	}
	return packet(0x82, body)
}

// rawConn is a connection without a client library.
type rawConn struct {
	net.Conn
	r *bufio.Reader
	h *house
}

// dial connects, sends a first packet and reads the CONNACK.
func (h *house) dial(first []byte) *rawConn {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	r := &rawConn{c, bufio.NewReaderSize(c, 64), h}
	r.send(first)
	if kind, body := r.read(); kind != 0x20 || body[1] != 0 {
		h.t.Fatalf("CONNECT was answered by %#x %v", kind, body)
	}
	return r
}

func (r *rawConn) send(b []byte) {
	r.h.t.Helper()
	if _, err := r.Write(b); err != nil {
		r.h.t.Fatal(err)
	}
}

// read gives the next packet.
func (r *rawConn) read() (kind byte, body []byte) {
	r.h.t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.h.t.Fatal(err)
	}
	kind, err := r.r.ReadByte()
	n := 0
	for shift := 0; err == nil; shift += 7 {
		var b byte
		b, err = r.r.ReadByte()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	body = make([]byte, n)
	if err == nil {
		_, err = io.ReadFull(r.r, body)
	}
	if err != nil {
		r.h.t.Fatalf("read packet: %v", err)
	}
	return kind, body
}

// end reads until the broker closes the connection, and gives what came before.
func (r *rawConn) end() []byte {
	r.h.t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.h.t.Fatal(err)
	}
	b, err := io.ReadAll(io.LimitReader(r.r, 1<<20))
	if err != nil {
		r.h.t.Fatalf("the broker did not close: %v", err)
	}
	if len(b) == 0 {
		return nil
	}
	return b
}

// settled waits until no more connections than that many are left; those that ended have then been dealt with.
func (h *house) settled(left int) {
	h.t.Helper()
	eventually(h.t, func() (bool, string) {
		l := h.bus.listener
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.links) == left, fmt.Sprintf("%d connections, want %d", len(l.links), left)
	})
}
