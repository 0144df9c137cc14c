package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// Bounds of sessions.
const (
	maxSessions = 64
	maxIdle     = 12 * time.Hour
	maxAge      = 30 * 24 * time.Hour
)

// Identity is who has a session.
type Identity struct {
	Name   string // of the secret that was accepted
	Role   string
	Secret string // by which the acceptor knows which one it was, not the secret itself; may be empty
}

// session is one browser that is logged in.
type session struct {
	who     Identity
	made    time.Time
	used    time.Time
	ctx     context.Context // ends with the session
	endSelf context.CancelFunc
}

type sessionKey [sha256.Size]byte

// sessions are those that have not ended. Who reads the memory of the process finds no cookie that could be sent.
type sessions struct {
	mu   sync.Mutex
	open map[sessionKey]*session
}

// add opens a session and gives what its cookie holds. Beyond the bound the one that was not used for the longest time
// ends.
func (s *sessions) add(who Identity, now time.Time) string {
	token := rand.Text()
	n := &session{who: who, made: now, used: now}
	n.ctx, n.endSelf = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune(now)
	for len(s.open) >= maxSessions {
		var oldest sessionKey
		var at time.Time
		for key, o := range s.open {
			if at.IsZero() || o.used.Before(at) {
				oldest, at = key, o.used
			}
		}
		s.drop(oldest)
	}
	if s.open == nil {
		s.open = map[sessionKey]*session{}
	}
	s.open[sha256.Sum256([]byte(token))] = n
	return token
}

// find gives the session of a cookie and notes that it is used; nil if there is none. left is what remains of its time.
func (s *sessions) find(token string, now time.Time) (found *session, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune(now)
	found = s.open[sha256.Sum256([]byte(token))]
	if found == nil {
		return nil, 0
	}
	found.used = now
	return found, maxAge - now.Sub(found.made)
}

// end ends the session of a cookie, if there is one.
func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(sha256.Sum256([]byte(token)))
}

func (s *sessions) prune(now time.Time) {
	for key, o := range s.open {
		if now.Sub(o.used) >= maxIdle || now.Sub(o.made) >= maxAge {
			s.drop(key)
		}
	}
}

func (s *sessions) drop(key sessionKey) {
	if o := s.open[key]; o != nil {
		o.endSelf()
		delete(s.open, key)
	}
}
