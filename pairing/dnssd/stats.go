package dnssd

import (
	"net/netip"
	"slices"
	"sync/atomic"
)

// ioCounts are counted around the engine.
type ioCounts struct {
	foreign, refused, malformed, dropped, sent, failed atomic.Uint64
}

// Stats is what a responder has done since it was made, and where it is.
type Stats struct {
	Queries   uint64 // received, about our names
	Responses uint64 // of others, about our names
	Foreign   uint64 // packets with nothing of ours in them
	Ignored   uint64 // from off the link, from another interface, of another opcode, or with an error in them
	Echoes    uint64 // our own packets that came back
	Malformed uint64
	Dropped   uint64 // as too many packets waited

	Answers       uint64 // answered by multicast
	Unicasts      uint64 // packets to one querier
	Suppressed    uint64 // answers not given, as they were known or had just been given
	OverLimit     uint64 // unicast answers not given, as there had been too many
	Probes        uint64 // packets
	Announcements uint64
	Goodbyes      uint64 // services taken back, per link
	Rescues       uint64 // records announced anew as somebody else had taken them back
	Sent          uint64 // packets
	Failed        uint64 // packets that could not be sent

	Conflicts  uint64 // others who have a name of ours
	LostProbes uint64 // simultaneous probes that somebody else won
	Renames    uint64

	Host     string // without ".local"
	Services []ServiceStats
	Links    []LinkStats
	// LinksLeftOut is how many are not served: those beyond 64, or beyond what the system allows.
	LinksLeftOut int
}

// ServiceStats is one service.
type ServiceStats struct {
	Name, Type string
	Port       uint16
	// Links says on how many links others find it.
	Links int
}

// LinkStats is an interface in one family.
type LinkStats struct {
	Interface string
	Index     int
	Family    int          // 4 or 6
	Addresses []netip.Addr // that are announced there
}

// Stats gives the present figures.
func (r *Responder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.engine
	n := &e.count
	s := Stats{
		Queries: n.queries, Responses: n.responses, Foreign: r.io.foreign.Load(), Ignored: n.ignored + r.io.refused.Load(),
		Echoes: n.echoes, Malformed: n.malformed + r.io.malformed.Load(), Dropped: r.io.dropped.Load(),
		Answers: n.answers, Unicasts: n.unicasts, Suppressed: n.suppressed, OverLimit: n.overLimit, Probes: n.probes,
		Announcements: n.announcements, Goodbyes: n.goodbyes, Rescues: n.rescues, Sent: r.io.sent.Load(), Failed: r.io.failed.Load(),
		Conflicts: n.conflicts, LostProbes: n.lostProbes, Renames: n.renames,
		Host: e.host.label(), LinksLeftOut: r.leftOut,
	}
	for _, c := range e.services {
		one := ServiceStats{Name: c.label(), Type: c.svc.Type, Port: c.svc.Port}
		for _, l := range e.order {
			if l.stages[c].answers() {
				one.Links++
			}
		}
		s.Services = append(s.Services, one)
	}
	for _, l := range e.order {
		s.Links = append(s.Links, LinkStats{Interface: l.name, Index: l.key.index, Family: int(l.key.family), Addresses: slices.Clone(l.addrs)})
	}
	return s
}
