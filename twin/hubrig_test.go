package twin_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbridge/twin"
)

// world is a hub, and two nodes that can be connected to it. Nothing travels by itself: pump lets everything travel and
// be committed until all is quiet. Its scripts have the steps of a node ("cellar: ask ..." for the second one), and
//
//	connect [cellar] | cut [cellar] | lose [cellar]   a session; its orderly end at both sides; or only the node notices
//	pump | tell | wait 5s                             tell: what the node has to say and nothing else
//	hub ask c1 power=ON [30s] [insist] [guard=power:now]
//	hub see power e=ON w=c1 | hub outcome c1 -> applied | hub presence -> online
//	hub define [cellar] | hub delete | hub move cellar [force]
//	hub commit | hub restart | hub newdisk | hub save | hub old     old: what save kept is put back
//	newdisk | save | old                                            the same of a node
//	offered -> c1 c2      what the hub offered to any node since it was last asked
type world struct {
	t     *testing.T
	nodes map[string]*rig
	hub   *twin.Hub
	now   twin.Now
	disk  map[string][]byte
	kept  map[string]map[string][]byte // disks put aside, by owner
	ids   int
	links map[string]string // session by node
	sent  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, nodes: map[string]*rig{}, disk: map[string][]byte{}, kept: map[string]map[string][]byte{}, links: map[string]string{},
		now: twin.Now{Mono: time.Hour, Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for _, name := range []string{"attic", "cellar"} {
		w.nodes[name] = newNode(t, name)
		w.nodes[name].commit()
	}
	w.openHub()
	return w
}

func (w *world) openHub() {
	w.t.Helper()
	var records []twin.Record
	for _, k := range slices.Sorted(maps.Keys(w.disk)) {
		records = append(records, twin.Record{Key: k, Data: w.disk[k]})
	}
	newID := func() string { w.ids++; return fmt.Sprintf("hub%d", w.ids) }
	h, err := twin.OpenHub(twin.HubConfig{NewID: newID}, w.now, records)
	if err != nil {
		w.t.Fatalf("open hub: %v", err)
	}
	w.hub = h
	for name := range w.links {
		w.nodes[name].node.LinkDown()
	}
	clear(w.links)
}

func (w *world) commitHub() {
	b, ok := w.hub.TakeBatch()
	if !ok {
		return
	}
	for _, rec := range b.Records {
		if rec.Data == nil {
			delete(w.disk, rec.Key)
		} else {
			w.disk[rec.Key] = rec.Data
		}
	}
	w.hub.Committed(b, nil)
}

func (w *world) play(script string) {
	w.t.Helper()
	playWith(w.t, script, w.step)
}

func (w *world) step(cmd string, args []string) (string, error) {
	w.t.Helper()
	node := w.nodes["attic"]
	if name, ok := strings.CutSuffix(cmd, ":"); ok {
		node, cmd, args = w.nodes[name], args[0], args[1:]
	}
	switch cmd {
	case "hub":
		return w.stepHub(args[0], args[1:])
	case "connect":
		w.connect(w.which(args))
	case "cut":
		name := w.which(args)
		w.hub.Disconnect(w.now, name, w.links[name])
		w.nodes[name].node.LinkDown()
		delete(w.links, name)
	case "lose": // the hub has not noticed
		name := w.which(args)
		w.nodes[name].node.LinkDown()
		delete(w.links, name)
	case "pump":
		w.pump()
	case "tell":
		w.tell(node)
		w.commitHub()
	case "wait":
		d, err := time.ParseDuration(args[0])
		w.now.Mono += d
		w.hub.Tick(w.now)
		for _, n := range w.nodes {
			n.wait(d)
		}
		return "", err
	case "offered":
		got := strings.Join(w.sent, " ")
		w.sent = nil
		return got, nil
	case "newdisk", "save", "old":
		w.storeOf(node.name, &node.disk, cmd)
		if cmd != "save" {
			delete(w.links, node.name)
			node.open()
			node.commit()
		}
	default:
		return node.step(cmd, args)
	}
	return "", nil
}

func (w *world) which(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "attic"
}

func (w *world) storeOf(owner string, disk *map[string][]byte, what string) {
	switch what {
	case "save":
		w.kept[owner] = maps.Clone(*disk)
	case "old":
		*disk = maps.Clone(w.kept[owner])
	case "newdisk":
		*disk = map[string][]byte{}
	}
}

func (w *world) stepHub(cmd string, args []string) (string, error) {
	w.t.Helper()
	switch cmd {
	case "ask":
		return w.ask(args)
	case "see":
		v, err := w.hub.View(lampName)
		if err != nil {
			return "", err
		}
		return "", see(v, args[0], args[1:])
	case "presence":
		v, err := w.hub.View(lampName)
		return string(v.Presence), err
	case "outcome":
		v, err := w.hub.WishView(lampName, args[0])
		return tell(v), err
	case "define":
		dev := twin.Device{Name: lampName, Properties: lampProps(), Node: w.which(args)}
		return "", w.hub.Apply(w.now, nil, []twin.Device{dev})
	case "delete":
		return "", w.hub.Delete(w.now, lampName)
	case "move":
		return "", w.hub.Move(w.now, lampName, args[0], len(args) > 1)
	case "commit":
		w.commitHub()
	case "restart":
		w.openHub()
	case "newdisk", "save", "old":
		w.storeOf("hub", &w.disk, cmd)
		if cmd != "save" {
			w.openHub()
		}
	default:
		return "", errors.New("no such step")
	}
	return "", nil
}

// ask reads a wish as a node's ask does; its guard "now" is what the hub's view shows.
func (w *world) ask(args []string) (string, error) {
	v, err := w.hub.View(lampName)
	if err != nil {
		return "", err
	}
	wish := twin.Wish{ID: args[0], Asker: "test", Origin: twin.FromCloud, Values: map[string]twin.Value{}}
	for _, a := range args[1:] {
		key, arg, pair := strings.Cut(a, "=")
		switch p := v.Prop(key); {
		case a == "insist":
			wish.Insist = true
		case !pair:
			if wish.ValidFor, err = time.ParseDuration(a); err != nil {
				return "", err
			}
		case key == "guard":
			name, _, _ := strings.Cut(arg, ":")
			wish.Guard = map[string]uint64{name: v.Prop(name).Rev}
		case p == nil:
			wish.Values[key] = twin.StringValue(arg)
		default:
			if wish.Values[key], err = twin.ParseText(p.Def.Type, arg); err != nil {
				wish.Values[key] = twin.StringValue(arg)
			}
		}
	}
	got, err := w.hub.Ask(w.now, lampName, wish)
	return string(got.Outcome), err
}

// connect opens a session: the hub's hello, once on disk; the node's answer, once on disk; again if the hub found
// itself old.
func (w *world) connect(name string) {
	w.t.Helper()
	n := w.nodes[name]
	session := w.hub.Connect(w.now, name)
	for range 3 {
		w.commitHub()
		hello, ok := w.hub.Hello(name, session)
		if !ok {
			w.t.Fatal("no hello of the hub")
		}
		w.links[name] = session
		n.node.LinkUp(n.now, hello)
		n.commit()
		answer, ok := n.node.Hello()
		if !ok {
			w.t.Fatal("no answer to the hub's hello")
		}
		if session = w.hub.NodeHello(w.now, name, session, answer); session == "" {
			return
		}
	}
	w.t.Fatal("the hellos have no end")
}

// pump lets everything travel.
func (w *world) pump() {
	w.t.Helper()
	for range 100 {
		w.commitHub()
		moved := false
		for _, name := range slices.Sorted(maps.Keys(w.links)) {
			n := w.nodes[name]
			moved = w.tell(n) || moved
			w.commitHub()
			if rev, ok := w.hub.Ack(name, w.links[name]); ok {
				n.node.Acked(n.now, rev)
				moved = true
			}
			for _, def := range w.hub.Definitions(name, w.links[name], 2) {
				if err := n.node.DefineCloud(n.now, def); err != nil {
					w.t.Fatalf("definition: %v", err)
				}
				n.uid, moved = def.Device.UID, true
			}
			for _, c := range w.hub.Offers(w.now, name, w.links[name], 2) {
				w.sent = append(w.sent, c.ID)
				n.node.OfferCloud(n.now, c)
				moved = true
			}
		}
		if !moved {
			return
		}
	}
	w.t.Fatal("the link does not come to rest")
}

// tell brings to the hub what the node has to say.
func (w *world) tell(n *rig) (moved bool) {
	n.commit()
	if d, ok := n.node.Decisions(); ok {
		w.hub.Learn(w.now, n.name, w.links[n.name], d)
		moved = true
	}
	if o, ok := n.node.Observations(1); ok {
		w.hub.Observe(w.now, n.name, w.links[n.name], o)
		moved = true
	}
	return moved
}
