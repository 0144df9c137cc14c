package twin

// The node's end of the link, behind the lock: each is the step of the Node of that name.

// LinkC has a token when there may be something to tell the hub of the present session.
func (s *Store) LinkC() <-chan struct{} { return s.linkDue }

// LinkUp begins a session; see [Node.LinkUp].
func (s *Store) LinkUp(h HubHello) {
	s.step(func(now Now) {
		s.greeted = false
		s.node.LinkUp(now, h)
	})
	signal(s.hurry)
}

// Hello gives the answer to the hub's hello; false: it is not on disk yet.
func (s *Store) Hello() (NodeHello, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.node.Hello()
	s.greeted = s.greeted || ok
	return h, ok
}

// LinkDown ends the session.
func (s *Store) LinkDown() { s.step(func(Now) { s.node.LinkDown() }) }

// Session is the id of the present session, "" if there is none.
func (s *Store) Session() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Session()
}

// Acked takes the hub's word that it holds everything up to rev; see [Node.Acked].
func (s *Store) Acked(rev uint64) { s.step(func(now Now) { s.node.Acked(now, rev) }) }

// Decisions gives what was decided since it was last asked and is on disk; false: nothing.
func (s *Store) Decisions() (Decisions, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Decisions()
}

// Observations gives what is to be observed since it was last asked; see [Node.Observations].
func (s *Store) Observations(most int) (Observations, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Observations(most)
}

// Refusals gives the definitions of the cloud that were not taken since it was last asked.
func (s *Store) Refusals() []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Refusals()
}

// OfferCloud takes a wish that the hub offers; see [Node.OfferCloud].
func (s *Store) OfferCloud(c CloudWish) { s.step(func(now Now) { s.node.OfferCloud(now, c) }) }

// DefineCloud takes a definition of the cloud; see [Node.DefineCloud].
func (s *Store) DefineCloud(def Definition) (err error) {
	s.step(func(now Now) { err = s.node.DefineCloud(now, def) })
	return err
}

// RefusedByHub takes the hub's word that it does not take a definition of this node.
func (s *Store) RefusedByHub(r Refusal) { s.step(func(Now) { s.node.RefusedByHub(r) }) }

// HubRefusals lists what the hub of the present session does not take of this node.
func (s *Store) HubRefusals() []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.HubRefusals()
}
