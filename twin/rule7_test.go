package twin_test

import (
	"errors"
	"testing"

	"twinbridge/twin"
)

// Rule 7: how a node finds out that its disk, or the hub's, is not the one that the other knows.
func TestNodeStoreID(t *testing.T) {
	tests := []struct {
		name  string
		play  string
		hello func(r *rig, h *twin.HubHello)
		renew bool
	}{
		{"the hub holds what this store made", ``, func(*rig, *twin.HubHello) {}, false},
		{"the hub knows nothing of the node", ``, func(_ *rig, h *twin.HubHello) { h.NodeStore, h.LastRev, h.LastOpening = "", 0, "" }, false},
		{"the hub knows another store of the node", ``, func(_ *rig, h *twin.HubHello) { h.NodeStore = "store-of-before" }, false},
		{"the hub holds a rev that this store has not reached: an old disk", ``, func(_ *rig, h *twin.HubHello) { h.LastRev += 100 }, true},
		{"the rev is here, but another opening made it: an old disk that went on", ``, func(_ *rig, h *twin.HubHello) { h.LastOpening = "opening-of-another-life" }, true},
		{"the same opening, after a restart", "restart", func(*rig, *twin.HubHello) {}, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newLamp(t, nil, nil)
			r.play(`
				ready power=OFF
				link
				commit
				told -> ...
				unlink`)
			r.play(tc.play)
			r.commit()
			before := r.node.StoreID()
			h := r.hub
			h.HubStore, h.Session = r.hubStore, "s9"
			tc.hello(r, &h)
			r.node.LinkUp(r.now, h)
			if got := r.node.StoreID() != before; got != tc.renew {
				t.Errorf("new store id: got %v, want %v", got, tc.renew)
			}
			if _, ok := r.node.Hello(); ok == tc.renew {
				t.Errorf("the answer may go before the new id is on disk: got %v", ok)
			}
			r.commit()
			hello, ok := r.node.Hello()
			if !ok || hello.NodeStore != r.node.StoreID() {
				t.Errorf("answer: got %+v %v, want store %s", hello, ok, r.node.StoreID())
			}
			if all, _ := r.node.Decisions(); tc.renew && len(all.Devices) == 0 {
				t.Error("under the new id nothing is told anew")
			}
		})
	}
}

func TestRestoredBackup(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play(`
		ready power=OFF
		ask w1 power=ON
		echo power=ON#w1
		commit`)
	before := r.node.StoreID()
	r.play(`
		newfile
		restart`)
	if r.node.StoreID() == before {
		t.Error("a restored backup kept its store id")
	}
	// The acts that it had at its opening are forgotten, those made since stay.
	r.play(`
		link
		cloud c1 waited seen=other power=OFF
		see power e=OFF w=c1
		ask w2 level=5
		cloud c2 waited seen=other level=10
		outcome c2 -> superseded by house: level`)
}

func TestHelloWaitsForTheDisk(t *testing.T) {
	r := newRig(t) // its opening is not committed yet
	r.node.LinkUp(r.now, twin.HubHello{HubStore: "hub-1", Session: "s1"})
	if h, ok := r.node.Hello(); ok {
		t.Errorf("a store id left the process before it was on disk: %+v", h)
	}
	r.commit()
	r.open() // another opening, not committed either, under a hub that the node knows
	r.node.LinkUp(r.now, twin.HubHello{HubStore: "hub-1", Session: "s2"})
	if h, ok := r.node.Hello(); ok {
		t.Errorf("an answer before the opening was on disk: %+v", h)
	}
	r.fail()
	if _, ok := r.node.Hello(); ok {
		t.Error("after a failed commit too")
	}
	r.commit()
	if _, ok := r.node.Hello(); !ok {
		t.Error("no answer once it is on disk")
	}
	r.play("unlink")
	if _, ok := r.node.Hello(); ok {
		t.Error("an answer without a session")
	}
}

// Rule 7: the node tells per device the highest number dealt with and its wish's id.
func TestHelloTellsNumbers(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play(`
		ready power=OFF
		link
		cloud c1 power=ON
		cloud c2 level=7
		commit
		restart
		link`)
	h, ok := r.node.Hello()
	if want := (twin.Dealt{UID: r.uid, Number: 2, ID: "c2"}); !ok || len(h.Dealt) != 1 || h.Dealt[0] != want {
		t.Errorf("got %+v %v, want %+v", h.Dealt, ok, want)
	}
}

// Rule 6: a tombstone is kept until acknowledged.
func TestTombstoneIsKeptUntilAcknowledged(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play(`
		ready power=OFF
		link
		commit
		told -> def:1 power=OFF/restore
		delete
		commit
		told -> gone
		unlink
		restart`)
	h := r.hub
	h.LastRev-- // the hub has not made it durable
	h.HubStore, h.Session = "hub-1", "s2"
	r.node.LinkUp(r.now, h)
	r.play(`
		commit
		told -> gone`)
	r.node.Acked(r.now, r.hub.LastRev+1) // more than was told: not believed
	r.node.Acked(r.now, 1)               // an older one changes nothing
	r.play(`
		link
		commit
		ack
		commit
		restart
		link store=hub-2
		told ->`)
}

// Rule 1: observations carry no rev, only the latest; each session begins with all of them.
func TestObservations(t *testing.T) {
	r := newLamp(t, nil, nil)
	r.play(`
		ready power=OFF level=0
		link
		commit`)
	o, ok := r.node.Observations(1)
	if !ok || !o.Full || len(o.Devices) != 1 || len(o.Devices[0].Props) != 2 || o.Devices[0].Presence != twin.Online {
		t.Fatalf("first of a session: got %+v %v, want everything", o, ok)
	}
	if o, ok := r.node.Observations(1); ok {
		t.Errorf("nothing new: got %+v", o)
	}
	r.play(`
		report level=5
		report level=10
		report level=15`)
	o, ok = r.node.Observations(1)
	if !ok || o.Full || len(o.Devices) != 1 {
		t.Fatalf("after three reports: got %+v %v", o, ok)
	}
	for _, p := range o.Devices[0].Props {
		if p.Name == "level" && p.Actual != twin.IntValue(15) {
			t.Errorf("level: got %v, want the latest, 15", p.Actual)
		}
	}
	r.play(`report level=15`)
	if o, ok := r.node.Observations(1); ok {
		t.Errorf("an equal report: got %+v", o)
	}
	r.play(`state offline`)
	if o, ok = r.node.Observations(1); !ok || o.Devices[0].Presence != twin.Offline {
		t.Errorf("presence: got %+v %v, want offline", o, ok)
	}
	r.play(`
		unlink
		link`)
	if o, ok = r.node.Observations(1); !ok || !o.Full {
		t.Errorf("another session: got %+v %v, want everything", o, ok)
	}
}

// Rule 1 at the hub: what comes in another session or under another store is not taken, an older rev neither.
func TestHubIgnoresTheOld(t *testing.T) {
	w := newWorld(t)
	w.play(home)
	attic := w.nodes["attic"]
	v, err := w.hub.View(lampName)
	if err != nil {
		t.Fatal(err)
	}
	rev := v.Prop("power").Rev
	on := func(rev uint64) twin.Decisions {
		return twin.Decisions{NodeStore: attic.node.StoreID(), Rev: rev, Opening: "o", Devices: []twin.DeviceDecisions{{
			Name: lampName, UID: attic.uid,
			Props: []twin.PropDecision{{Name: "power", Expected: twin.StringValue("ON"), Origin: twin.FromLocal, Rev: rev}},
		}}}
	}
	old := w.links["attic"]
	w.play("lose\nconnect")
	session := w.links["attic"]

	w.hub.Disconnect(w.now, "attic", old) // noticed late: not the present session
	w.play("hub ask c1 level=5\npump\noffered -> c1")

	foreign := on(rev + 50)
	foreign.NodeStore = "another"
	other := on(rev + 50)
	other.Devices[0].UID = "another"
	for name, tell := range map[string]func(){
		"another session": func() { w.hub.Learn(w.now, "attic", old, on(rev+50)) },
		"another store":   func() { w.hub.Learn(w.now, "attic", session, foreign) },
		"another node":    func() { w.hub.Learn(w.now, "cellar", session, on(rev+50)) },
		"another uid":     func() { w.hub.Learn(w.now, "attic", session, other) },
		"the same rev":    func() { w.hub.Learn(w.now, "attic", session, on(rev)) },
		"observations of another session": func() {
			w.hub.Observe(w.now, "attic", old, twin.Observations{Devices: []twin.Observation{{
				Name: lampName, UID: attic.uid,
				Props: []twin.Observed{{Name: "power", Actual: twin.StringValue("ON")}},
			}}})
		},
	} {
		tell()
		if _, err := w.step("hub", []string{"see", "power", "e=OFF", "a=OFF"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.hub.Learn(w.now, "attic", session, on(rev+50))
	w.play("hub see power e=ON")
}

// Rule 1: at a node whose disk fails the hub offers no wishes.
func TestHubOffersNothingToAFailingDisk(t *testing.T) {
	w := newWorld(t)
	w.play(home)
	w.hub.Observe(w.now, "attic", w.links["attic"], twin.Observations{DiskBad: true})
	w.play(`
		hub ask c1 power=ON
		hub commit
		offered ->`)
	if got := w.hub.Offers(w.now, "attic", w.links["attic"], 64); len(got) != 0 {
		t.Errorf("offered %+v", got)
	}
	w.hub.Observe(w.now, "attic", w.links["attic"], twin.Observations{})
	w.play("pump\noffered -> c1")
}

// Rule 3: the hub makes a wish durable before it offers it, and marks durably what goes out in a later session.
func TestHubDurability(t *testing.T) {
	w := newWorld(t)
	w.play(home)
	v, err := w.hub.Ask(w.now, lampName, twin.Wish{ID: "c1", Origin: twin.FromCloud, Values: map[string]twin.Value{"power": twin.StringValue("ON")}})
	if err != nil {
		t.Fatal(err)
	}
	if w.hub.Durable(v) {
		t.Error("durable before the commit")
	}
	b, ok := w.hub.TakeBatch()
	if !ok {
		t.Fatal("nothing to commit")
	}
	w.hub.Committed(b, errors.New("no space left"))
	if w.hub.Durable(v) || len(w.hub.Offers(w.now, "attic", w.links["attic"], 64)) != 0 {
		t.Error("a failed commit made it durable")
	}
	if !w.hub.Due() {
		t.Error("after a failed commit nothing is due")
	}
	w.commitHub()
	if !w.hub.Durable(v) {
		t.Error("not durable after the commit")
	}

	w.play("pump\ncut\nhub ask c2 level=50\nhub commit\nconnect")
	w.hub.Definitions("attic", w.links["attic"], 64) // wishes follow what they are about
	if got := w.hub.Offers(w.now, "attic", w.links["attic"], 64); len(got) != 1 || got[0].ID != "c1" {
		t.Errorf("offered before its mark is on disk: %+v", got)
	}
	w.commitHub()
	if got := w.hub.Offers(w.now, "attic", w.links["attic"], 64); len(got) != 1 || got[0].ID != "c2" {
		t.Errorf("offers once the mark is on disk: %+v", got)
	}
}

// Rule 7: a disk that comes back after that of another store in between is an old one too: the hub remembers both.
func TestOldDiskAfterANewOne(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		renew  bool
	}{
		"it lacks what was told":      {"save\nask h1 power=ON\npump\ncut\nnewdisk\nconnect\npump\ncut\nold\nconnect", true},
		"it has all that was told":    {"ask h1 power=ON\npump\ncut\nsave\nnewdisk\nconnect\npump\ncut\nold\nconnect", false},
		"the hub was restarted since": {"save\nask h1 power=ON\npump\ncut\nnewdisk\nconnect\npump\ncut\nhub restart\nold\nconnect", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.play(home)
			before := w.nodes["attic"].node.StoreID()
			w.play(tc.script)
			if got := w.nodes["attic"].node.StoreID() != before; got != tc.renew {
				t.Errorf("new store id: got %v, want %v", got, tc.renew)
			}
		})
	}
}
