package simtest

import "twinbridge/twin"

// most bounds what goes into a message, so that the rest has to follow.
const most = 2

// nodeTwins is the node as its end of a session sees it, with the book looking on.
type nodeTwins struct{ s *session }

func (t *nodeTwins) node() *twin.Node { return t.s.node.node }

func (t *nodeTwins) LinkUp(h twin.HubHello)        { t.node().LinkUp(t.s.w.now(), h) }
func (t *nodeTwins) LinkDown()                     { t.node().LinkDown() }
func (t *nodeTwins) Acked(rev uint64)              { t.node().Acked(t.s.w.now(), rev) }
func (t *nodeTwins) Hello() (twin.NodeHello, bool) { return t.node().Hello() }
func (t *nodeTwins) Refusals() []twin.Refusal      { return t.node().Refusals() }
func (t *nodeTwins) RefusedByHub(r twin.Refusal)   { t.node().RefusedByHub(r) }

func (t *nodeTwins) DefineCloud(d twin.Definition) error {
	err := t.node().DefineCloud(t.s.w.now(), d)
	if err != nil {
		t.s.w.log("%s refuses a definition: %v", t.s.node.name, err)
	}
	t.s.node.look("definition")
	return err
}

func (t *nodeTwins) OfferCloud(c twin.CloudWish) {
	w := t.s.w
	times := 1
	if w.chance(20) && !w.quiet {
		times = 2
		w.saw("offer twice")
	}
	for range times {
		w.book.beforeOffer(t.s.node, c)
		t.node().OfferCloud(w.now(), c)
		w.book.afterOffer(t.s.node, c)
		t.s.node.look("offer " + c.ID)
	}
}

func (t *nodeTwins) Decisions() (twin.Decisions, bool) {
	d, ok := t.node().Decisions()
	if ok {
		t.s.w.book.told(t.s.node, d)
	}
	return d, ok
}

func (t *nodeTwins) Observations(int) (twin.Observations, bool) { return t.node().Observations(most) }

// hubTwins is the hub as its end of a session sees it.
type hubTwins struct{ s *session }

func (t *hubTwins) hub() *twin.Hub { return t.s.w.hub.hub }

func (t *hubTwins) Connect(node string) string      { return t.hub().Connect(t.s.w.now(), node) }
func (t *hubTwins) Disconnect(node, session string) { t.hub().Disconnect(t.s.w.now(), node, session) }

func (t *hubTwins) Hello(node, session string) (twin.HubHello, bool) {
	return t.hub().Hello(node, session)
}

func (t *hubTwins) Ack(node, session string) (uint64, bool) { return t.hub().Ack(node, session) }

func (t *hubTwins) Refusals(node, session string) []twin.Refusal {
	return t.hub().Refusals(node, session)
}

func (t *hubTwins) NodeHello(node, session string, h twin.NodeHello) string {
	again := t.hub().NodeHello(t.s.w.now(), node, session, h)
	if again != "" {
		t.s.w.saw("hub renewed")
	}
	return again
}

func (t *hubTwins) Learn(node, session string, d twin.Decisions) {
	t.hub().Learn(t.s.w.now(), node, session, d)
}

func (t *hubTwins) Observe(node, session string, o twin.Observations) {
	t.hub().Observe(t.s.w.now(), node, session, o)
}

func (t *hubTwins) DefinitionRefused(node, session string, r twin.Refusal) {
	t.hub().DefinitionRefused(t.s.w.now(), node, session, r)
}

func (t *hubTwins) Definitions(node, session string, _ int) []twin.Definition {
	return t.hub().Definitions(node, session, most)
}

func (t *hubTwins) Offers(node, session string, _ int) []twin.CloudWish {
	out := t.hub().Offers(t.s.w.now(), node, session, most)
	for _, c := range out {
		t.s.w.book.hubOffers(c)
	}
	return out
}
