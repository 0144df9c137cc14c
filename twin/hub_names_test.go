package twin_test

import (
	"fmt"
	"strings"
	"testing"

	"twinbridge/twin"
)

// Rule 6: a name belongs to the first node that defines it. The other one is told, also after the hub was restarted, and
// its device is taken as soon as the name is free.
func TestTwoNodesOneName(t *testing.T) {
	w := newWorld(t)
	w.play("connect\nconnect cellar")
	for _, node := range []string{"attic", "cellar"} {
		n := w.nodes[node]
		if err := n.node.Apply(n.now, nil, []twin.Device{{Name: lampName, Properties: lampProps()}}); err != nil {
			t.Fatal(err)
		}
		w.play("pump")
	}
	check := func(when, owner string, refused int) {
		t.Helper()
		v, err := w.hub.View(lampName)
		if err != nil || v.Device.Node != owner {
			t.Fatalf("%s: the hub has %s at %q, %v; want it at %s", when, lampName, v.Device.Node, err, owner)
		}
		n, _ := w.hub.Node("cellar")
		if len(n.Refused) != refused || len(w.nodes["cellar"].node.HubRefusals()) != refused {
			t.Errorf("%s: refused at the hub %v, told to the node %v; want %d", when, n.Refused, w.nodes["cellar"].node.HubRefusals(), refused)
		}
		if refused > 0 && !strings.Contains(n.Refused[0].Reason, "attic") {
			t.Errorf("%s: the reason is %q", when, n.Refused[0].Reason)
		}
	}
	tellRefusals := func() {
		for _, r := range w.hub.Refusals("cellar", w.links["cellar"]) {
			w.nodes["cellar"].node.RefusedByHub(r)
		}
	}
	tellRefusals()
	check("at first", "attic", 1)
	w.play("hub restart\nconnect\nconnect cellar\npump")
	tellRefusals()
	check("after a restart of the hub", "attic", 1)
	if err := w.nodes["attic"].node.Delete(w.nodes["attic"].now, lampName); err != nil {
		t.Fatal(err)
	}
	w.play("pump")
	check("once the name is free", "cellar", 0)
}

// Rule 7: a hub does not take itself for an old disk because it gave many numbers while a node was away.
func TestManyNumbersWhileAway(t *testing.T) {
	w := newWorld(t)
	w.play(home)
	w.play("hub ask c0 power=ON\npump\necho power=ON#c0\npump\nhub outcome c0 -> applied\nhub ask c1 power=OFF\nhub commit\ncut")
	for i := range 3 * twin.MaxWishes {
		w.play(fmt.Sprintf("hub ask x%d level=%d", i, i%20*5))
	}
	w.play("connect\npump\nhub outcome c1 -> pending\necho power=OFF#c1\npump\nhub outcome c1 -> applied")
}
