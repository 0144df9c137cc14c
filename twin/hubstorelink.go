package twin

// The hub's end of the links, behind the lock: each is the step of the Hub of that name.

// TalkC has a token when TakeTalk has something to give.
func (s *HubStore) TalkC() <-chan struct{} { return s.talk }

// TakeTalk gives the nodes to which something may have to be told.
func (s *HubStore) TakeTalk() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.TakeTalk()
}

// Connect begins a session with a node and fences an older one; it gives the session's id.
func (s *HubStore) Connect(node string) (session string) {
	s.step(func(now Now) { session = s.hub.Connect(now, node) })
	return session
}

// Disconnect ends a session, if it is the node's present one.
func (s *HubStore) Disconnect(node, session string) {
	s.step(func(now Now) { s.hub.Disconnect(now, node, session) })
}

// Current reports whether that is the node's present session.
func (s *HubStore) Current(node, session string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Current(node, session)
}

// Hello gives what opens the session, once it is on disk; see [Hub.Hello].
func (s *HubStore) Hello(node, session string) (HubHello, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Hello(node, session)
}

// NodeHello takes the node's answer; see [Hub.NodeHello].
func (s *HubStore) NodeHello(node, session string, h NodeHello) (again string) {
	s.step(func(now Now) { again = s.hub.NodeHello(now, node, session, h) })
	return again
}

// Learn takes what a node decided; see [Hub.Learn].
func (s *HubStore) Learn(node, session string, d Decisions) {
	s.stepSoon(func(now Now) { s.hub.Learn(now, node, session, d) })
}

// Observe takes what a node observed; see [Hub.Observe].
func (s *HubStore) Observe(node, session string, o Observations) {
	s.stepSoon(func(now Now) { s.hub.Observe(now, node, session, o) })
}

// DefinitionRefused takes a node's word that it does not take a definition; see [Hub.DefinitionRefused].
func (s *HubStore) DefinitionRefused(node, session string, r Refusal) {
	s.step(func(now Now) { s.hub.DefinitionRefused(now, node, session, r) })
}

// Ack gives the rev to acknowledge to the node, if there is a new one on disk.
func (s *HubStore) Ack(node, session string) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Ack(node, session)
}

// Definitions gives what the node has to hear of definitions; see [Hub.Definitions].
func (s *HubStore) Definitions(node, session string, most int) []Definition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Definitions(node, session, most)
}

// Refusals gives the definitions of which the node has to hear that they are not taken.
func (s *HubStore) Refusals(node, session string) []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.Refusals(node, session)
}

// Offers gives the wishes to offer to the node now; see [Hub.Offers].
func (s *HubStore) Offers(node, session string, most int) (out []CloudWish) {
	s.step(func(now Now) { out = s.hub.Offers(now, node, session, most) })
	return out
}
