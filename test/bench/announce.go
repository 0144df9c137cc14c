package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// ear hears what is said by multicast DNS on the machine's interfaces, what this machine says among it.
type ear struct {
	sockets []*net.UDPConn
	heard   chan said
	wg      sync.WaitGroup
}

type said struct {
	packet []byte
	at     time.Time
}

const (
	mdnsAddr   = "224.0.0.251"
	mdnsPort   = 5353
	mostHeard  = 4096
	mostPacket = 9000 // RFC 6762, 17
)

// listen opens the ear on each interface that has multicast; without one that is no error, and nothing is heard.
func listen() (*ear, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	e := &ear{heard: make(chan said, mostHeard)}
	for i := range all {
		if want := net.FlagUp | net.FlagMulticast; all[i].Flags&want != want {
			continue
		}
		s, err := net.ListenMulticastUDP("udp4", &all[i], &net.UDPAddr{IP: net.ParseIP(mdnsAddr), Port: mdnsPort})
		if err != nil {
			return nil, errors.Join(err, e.close())
		}
		e.sockets = append(e.sockets, s)
		e.wg.Go(func() { e.read(s) })
	}
	return e, nil
}

func (e *ear) read(s *net.UDPConn) {
	b := make([]byte, mostPacket)
	for {
		n, _, err := s.ReadFromUDP(b)
		if err != nil {
			return
		}
		select {
		case e.heard <- said{bytes.Clone(b[:n]), time.Now()}:
		default: // nobody listens, and what is told then is not looked for
		}
	}
}

func (e *ear) close() error {
	var errs []error
	for _, s := range e.sockets {
		errs = append(errs, s.Close())
	}
	e.wg.Wait()
	return errors.Join(errs...)
}

// forget drops what was said so far.
func (e *ear) forget() {
	for {
		select {
		case <-e.heard:
		default:
			return
		}
	}
}

var errNotHeard = errors.New("no announcement was heard")

// announced waits for the announcement of an accessory whose name begins so, and gives when it came.
func (e *ear) announced(ctx context.Context, name string, limit time.Duration) (time.Time, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		select {
		case s := <-e.heard:
			if announces(s.packet, name) {
				return s.at, nil
			}
		case <-late.C:
			return time.Time{}, errNotHeard
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// announces reports whether a packet is a response that speaks of an accessory whose name begins so: a probe is a query
// (RFC 6762, 8.1 and 8.3). The name stands in it once in plain text, whatever is compressed.
func announces(packet []byte, name string) bool {
	const response = 0x80
	return len(packet) > 12 && packet[2]&response != 0 && bytes.Contains(packet, []byte("\x04_hap")) && bytes.Contains(packet, []byte(name))
}
