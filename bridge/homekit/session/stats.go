package session

import "sync/atomic"

// Stats are figures for metrics.
type Stats struct {
	Unverified int // connections now
	Secure     int // connections now

	Accepted  uint64 // connections since the beginning
	Refused   uint64 // verified connections for which there was no room
	Evicted   uint64 // connections closed to make room
	Expired   uint64 // unverified connections that asked nothing for too long
	Stalled   uint64 // messages that were not read in time
	Requests  uint64
	Malformed uint64 // requests that could not be read
	Broken    uint64 // frames that were not authentic or too long
	Events    uint64 // event messages
}

type counters struct {
	accepted, refused, evicted, expired, stalled, requests, malformed, broken, events atomic.Uint64
}

// Stats gives the figures of now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	unverified, secure := len(s.unverified), len(s.secured)
	s.mu.Unlock()
	return Stats{
		Unverified: unverified, Secure: secure,
		Accepted: s.accepted.Load(), Refused: s.refused.Load(), Evicted: s.evicted.Load(), Expired: s.expired.Load(),
		Stalled: s.stalled.Load(), Requests: s.requests.Load(), Malformed: s.malformed.Load(), Broken: s.broken.Load(),
		Events: s.events.Load(),
	}
}
