package homekit

import (
	"net"
	"net/http"
	"time"

	"twinbridge/bridge/homekit/database"
	"twinbridge/bridge/homekit/frame"
	"twinbridge/bridge/homekit/message"
	"twinbridge/bridge/homekit/pair"
	"twinbridge/bridge/homekit/session"
)

// peer is one connection of a controller: what it may do, and the answers to its requests (HAP R2, table 5-1).
type peer struct {
	side *side
	conn *session.Conn
	pair *pair.Conn
	mine *database.Client // nil until the controller is verified
}

// Content types of HomeKit.
const (
	typeTLV  = "application/pairing+tlv8"
	typeJSON = "application/hap+json"
)

// connectionAuthorizationRequired is the status for whoever has not been verified (HAP R2, table 4-2).
const connectionAuthorizationRequired = 470

// typing is how long a person may take to type the setup code between two messages of pair-setup.
const typing = 30 * time.Second

func (s *side) accept(c *session.Conn) session.Peer {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		host = c.RemoteAddr().String()
	}
	p := &peer{side: s, conn: c, pair: s.pairer.Conn(host)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers[p] = struct{}{}
	return p
}

// Closed forgets the connection.
func (p *peer) Closed() {
	p.pair.Closed()
	if p.mine != nil {
		p.mine.Close()
	}
	p.side.mu.Lock()
	defer p.side.mu.Unlock()
	delete(p.side.peers, p)
}

// Event gives what changed.
func (p *peer) Event() []byte {
	if p.mine == nil || !p.pair.Authorised() {
		return nil
	}
	return p.mine.Event()
}

// Serve answers a request.
func (p *peer) Serve(r *message.Request) session.Reply {
	switch string(r.Path) {
	case "/pair-setup":
		if r.Method == message.Post {
			return session.Reply{Status: http.StatusOK, Type: typeTLV, Body: p.pair.Setup(time.Since(p.side.begun), r.Body), Patience: typing}
		}
	case "/pair-verify":
		if r.Method == message.Post {
			return p.verify(r)
		}
	case "/identify":
		if r.Method == message.Post {
			return p.identify()
		}
	case "/pairings", "/accessories", "/characteristics", "/prepare", "/resource", "/secure-message":
		if !p.pair.Authorised() || p.mine == nil {
			return failed(connectionAuthorizationRequired, database.InsufficientAuthorization)
		}
		return p.authorised(r)
	default:
		return session.Reply{Status: http.StatusNotFound}
	}
	return session.Reply{Status: http.StatusMethodNotAllowed}
}

// authorised answers a verified controller.
func (p *peer) authorised(r *message.Request) session.Reply {
	switch path := string(r.Path); {
	case path == "/characteristics" && r.Method == message.Put:
		return data(p.mine.Write(r.Body))
	case path == "/characteristics" && r.Method == message.Get:
		return data(p.mine.Read(string(r.Query)))
	case path == "/accessories" && r.Method == message.Get:
		return data(http.StatusOK, p.side.db.Accessories())
	case path == "/prepare" && r.Method == message.Put:
		return data(p.mine.Prepare(r.Body))
	case path == "/pairings" && r.Method == message.Post:
		body, gone := p.pair.Pairings(r.Body)
		reply := session.Reply{Status: http.StatusOK, Type: typeTLV, Body: body}
		if len(gone) > 0 {
			reply.Sent = func() { p.side.end(gone) } // answered first, then closed
		}
		return reply
	case path == "/resource" && r.Method == message.Post, path == "/secure-message":
		return failed(http.StatusNotFound, database.ResourceDoesNotExist) // there are no cameras here
	}
	return session.Reply{Status: http.StatusMethodNotAllowed}
}

func (p *peer) verify(r *message.Request) session.Reply {
	body, s := p.pair.Verify(r.Body)
	reply := session.Reply{Status: http.StatusOK, Type: typeTLV, Body: body}
	if s == nil {
		return reply
	}
	if p.mine != nil {
		p.mine.Close() // verified anew on the same connection: what was asked for before is gone
	}
	p.mine = p.side.db.Client(s.Controller, p.conn.Notify)
	reply.Switch = &session.Keys{Out: frame.Key(s.ReadKey), In: frame.Key(s.WriteKey)}
	return reply
}

// identify is for a bridge that nobody has paired with (HAP R2, 6.7.6).
func (p *peer) identify() session.Reply {
	if p.side.pairer.Paired() {
		return failed(http.StatusBadRequest, database.InsufficientPrivileges)
	}
	p.side.log.Info("HomeKit: somebody looks for this bridge", "remote", p.conn.RemoteAddr())
	return session.Reply{Status: http.StatusNoContent}
}

func data(status int, body []byte) session.Reply {
	return session.Reply{Status: status, Type: typeJSON, Body: body}
}

func failed(status int, code database.Status) session.Reply {
	return data(status, database.AppendError(nil, code))
}
