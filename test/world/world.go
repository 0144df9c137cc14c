package world

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Shape tells in what the parts of a world run.
type Shape int

// The shapes.
const (
	Up         Shape = iota // one process, one data folder
	Three                   // three processes on one machine
	Namespaces              // three processes, each with a network of its own
)

// Options tell what a world is to be like.
type Options struct {
	Binary   string
	Shape    Shape
	Manifest string // devices that the node defines
	// Through is the address at which the node finds the hub, in the place of the hub's own: a proxy's.
	Through func(hub string) string
	// Mosquitto puts Debian's broker between node and mapper, in the place of the embedded one.
	Mosquitto bool
	// HubDisk goes before the hub's program and its folder's name comes behind it: what puts a disk of the hub's own
	// there, and copies what lies in the folder of that name with .start behind it.
	HubDisk []string
	// OnLine hears each line that the mapper prints.
	OnLine func(at time.Time, line string)
}

// World is a hub, a node and a mapper.
type World struct {
	// Hub, Node and Mapper are the programs; in the shape Up they are one.
	Hub, Node, Mapper *Party
	Broker            *Party // Mosquitto; nil: the node's own
	HubAddr           string // host:port of hub.listen
	MQTT              string // host:port of the broker
	Shape             Shape

	t              testing.TB
	o              Options
	net            *networks
	user, password string // of the broker
	apis           []*API
}

// NodeName is the name of the node of a world.
const NodeName = "cellar"

// New makes a world, joins the node to the hub and starts all. The end of the test ends it.
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{t: t, o: o, Shape: o.Shape}
	t.Cleanup(func() {
		for _, a := range w.apis {
			a.Close()
		}
	})
	if o.Shape == Namespaces {
		w.net = newNetworks(t)
		w.HubAddr, w.MQTT = hubHost+":8443", nodeHost+":1883"
		w.user, w.password = "house", "of-this-test-"+unique()
	} else {
		w.HubAddr, w.MQTT = FreeAddr(t), FreeAddr(t)
	}
	if o.Mosquitto {
		w.Broker = w.newBroker(w.MQTT)
	}
	hubData := t.TempDir()
	link := ""
	if o.Through != nil {
		link = "  url: https://" + o.Through(w.HubAddr) + "\n"
	}
	if o.Shape == Up {
		p := &Party{t: t, Data: hubData, OnLine: o.OnLine, args: []string{o.Binary, "up", "--data", hubData}, ready: `(?m)^ready: `}
		w.Hub, w.Node, w.Mapper = p, p, p
		WriteFile(t, p.Store("twinbridge.yaml"), fmt.Sprintf("node:\n  name: %s\nhub:\n  listen: %s\n  plain: \"\"\nhomekit:\n  listen: 127.0.0.1:0\nmqtt:\n  listen: %s\n", NodeName, w.HubAddr, w.MQTT))
		WriteFile(t, p.Store("devices/house.yaml"), o.Manifest)
		p.Start()
		w.Joined()
		return w
	}
	w.Hub = &Party{t: t, Data: hubData, Prefix: w.inside("hub"), args: []string{o.Binary, "cloud", "--data", hubData}, ready: `(?m)^ready: `}
	file := w.Hub.Store("twinbridge.yaml")
	if o.HubDisk != nil {
		w.Hub.Prefix, w.Hub.ownDisk = append(append(w.Hub.Prefix, o.HubDisk...), hubData), true
		file = filepath.Join(hubData+".start", "twinbridge.yaml")
	}
	WriteFile(t, file, fmt.Sprintf("hub:\n  listen: %s\n  plain: \"\"\n", w.HubAddr))
	w.Node = w.newNode(NodeName, t.TempDir(), w.MQTT, link, false)
	WriteFile(t, w.Node.Store("devices/house.yaml"), o.Manifest)
	data := t.TempDir()
	w.Mapper = &Party{t: t, Data: data, OnLine: o.OnLine, Prefix: w.inside("mapper"), args: []string{o.Binary, "mapper", "--data", data}, ready: `(?m)^mapper of node `}
	WriteFile(t, w.Mapper.Store("twinbridge.yaml"), fmt.Sprintf("node:\n  name: %s\nmqtt:\n  broker: tcp://%s\n%s", NodeName, w.MQTT, w.mqttUser()))
	if w.Broker != nil {
		w.Broker.Start()
	}
	w.Hub.Start()
	w.Join(w.Node, NodeName)
	w.Node.Start()
	w.Mapper.Start()
	w.Joined()
	return w
}

// newNode describes an edge. Further ones have a mapper in their own process.
func (w *World) newNode(name, data, mqtt, link string, mapper bool) *Party {
	p := &Party{t: w.t, Data: data, Prefix: w.inside("edge"), args: []string{w.o.Binary, "edge", "--data", data}, ready: `(?m)^ready: `}
	broker := ""
	if w.Broker != nil && !mapper {
		broker, mqtt = "  broker: tcp://"+w.MQTT+"\n", "127.0.0.1:0"
	}
	WriteFile(w.t, p.Store("twinbridge.yaml"), fmt.Sprintf(
		"node:\n  name: %s\nhub:\n%s  plain: \"\"\nmqtt:\n  listen: %s\n%s%slocal:\n  listen: \"\"\nhomekit:\n  listen: 127.0.0.1:0\nmapper:\n  enabled: %v\n", name, link, mqtt, broker, w.mqttUser(), mapper))
	return p
}

func (w *World) mqttUser() string {
	if w.user == "" {
		return ""
	}
	return fmt.Sprintf("  user: %s\n  password: %s\n", w.user, w.password)
}

// inside gives what goes before a program of a part.
func (w *World) inside(part string) []string {
	if w.net == nil {
		return nil
	}
	return []string{"ip", "netns", "exec", w.net.name(part)}
}

// AddNode joins a further node to the hub and starts it; it moves its devices itself.
func (w *World) AddNode(name string) *Party {
	w.t.Helper()
	p := w.newNode(name, w.t.TempDir(), "127.0.0.1:0", "", true)
	w.Join(p, name)
	p.Start()
	return p
}

// Twin starts a program like that of a party on a copy of its folder: a second machine with the same keys.
func (w *World) Twin(of *Party) *Party {
	w.t.Helper()
	data := of.CopyFolder()
	p := w.newNode(NodeName, data, "127.0.0.1:0", "", true)
	return p
}

// Token asks the hub for a join token, as whoever owns its data folder does.
func (w *World) Token(node string) string {
	w.t.Helper()
	r := Command(w.t, "", w.o.Binary, "cloud", "token", "--node", node, "--data", w.Hub.Store(""))
	if r.Code != 0 {
		w.t.Fatalf("ask for a join token: %v", r)
	}
	return strings.TrimSpace(r.Out)
}

// Join makes a party a member of the hub, with what the command says.
func (w *World) Join(p *Party, name string, flags ...string) {
	w.t.Helper()
	if r := w.TryJoin(p, w.Token(name), flags...); r.Code != 0 {
		w.t.Fatalf("join: %v", r)
	}
}

// TryJoin runs the command that joins.
func (w *World) TryJoin(p *Party, token string, flags ...string) Result {
	w.t.Helper()
	words := append(append([]string{}, p.Prefix...), w.o.Binary, "join", "-", "--data", p.Data)
	words = append(words, flags...)
	return Command(w.t, token+"\n", words[0], words[1:]...)
}

// Joined waits until the hub serves the node.
func (w *World) Joined() {
	w.t.Helper()
	w.Served(NodeName, true)
}

// Served waits until the hub says whether a node is connected.
func (w *World) Served(node string, want bool) {
	w.t.Helper()
	a := w.HubSocket()
	Eventually(w.t, StartTime, func() (bool, string) {
		n, err := NodeOf(w.t.Context(), a, node)
		return err == nil && n.Connected == want, fmt.Sprintf("node %+v, %v", n, err)
	})
}

// NodeView is a node as the hub shows it.
type NodeView struct {
	Name      string `json:"name"`
	Connected bool   `json:"connected"`
	Store     string `json:"store"`
	Rev       uint64 `json:"rev"`
	Devices   int    `json:"devices"`
	Trouble   string `json:"trouble"`
}

// NodeOf reads a node at the hub.
func NodeOf(ctx context.Context, a *API, name string) (NodeView, error) {
	var n NodeView
	status, err := a.Do(ctx, http.MethodGet, "/v1/nodes/"+name, "", &n)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return n, err
}

// HubSocket speaks to the hub through its socket.
func (w *World) HubSocket() *API { return w.keep(NewSocketAPI(w.Hub.Store("hub.sock"))) }

// HubAPI speaks to the hub over TLS with the token of its first admin.
func (w *World) HubAPI() *API {
	w.t.Helper()
	token, err := os.ReadFile(w.Hub.Store("token"))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.HubWith(strings.TrimSpace(string(token)))
}

// HubWith speaks to the hub over TLS with a token.
func (w *World) HubWith(token string) *API {
	w.t.Helper()
	return w.keep(NewTLSAPI("https://"+w.HubAddr, w.HubTLS(), w.Dial(), token))
}

// HubTLS trusts the hub and nobody else.
func (w *World) HubTLS() *tls.Config {
	w.t.Helper()
	text, err := os.ReadFile(w.Hub.Store("hub-ca.crt"))
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		w.t.Fatal("hub-ca.crt holds no certificate")
	}
	return &tls.Config{RootCAs: roots}
}

// Dial opens connections from where people are that ask the hub: at its machine.
func (w *World) Dial() Dial {
	if w.net != nil {
		return w.net.dial("hub")
	}
	var d net.Dialer
	return d.DialContext
}

// NodeAPI speaks to the node through its socket.
func (w *World) NodeAPI() *API { return w.keep(NewSocketAPI(w.Node.Store("edge.sock"))) }

func (w *World) keep(a *API) *API {
	w.apis = append(w.apis, a)
	return a
}

// Press is a hand on the switch of a simulated device, by Mosquitto's client.
func (w *World) Press(name string) {
	w.t.Helper()
	w.Publish("$twinbridge/sim/default/"+name+"/press", "")
}

// Publish publishes by Mosquitto's client, from the mapper's place.
func (w *World) Publish(topic, payload string) {
	w.t.Helper()
	Need(w.t, "mosquitto_pub")
	words := append(w.inside("mapper"), w.client("mosquitto_pub", "-t", topic, "-m", payload)...)
	if r := Command(w.t, "", words[0], words[1:]...); r.Code != 0 {
		w.t.Fatalf("mosquitto_pub: %v", r)
	}
}

// Listen starts Mosquitto's client on a topic, from the mapper's place; it prints topic and payload.
func (w *World) Listen(topic string) *Process {
	w.t.Helper()
	Need(w.t, "mosquitto_sub")
	words := append(w.inside("mapper"), w.client("mosquitto_sub", "-v", "-t", topic)...)
	return Start(w.t, words[0], words[1:]...)
}

// client gives the words that start a client of Mosquitto's at the broker.
func (w *World) client(program string, args ...string) []string {
	w.t.Helper()
	host, port, err := net.SplitHostPort(w.MQTT)
	if err != nil {
		w.t.Fatal(err)
	}
	words := append([]string{program, "-h", host, "-p", port}, args...)
	if w.user != "" {
		words = append(words, "-u", w.user, "-P", w.password)
	}
	return words
}

// newBroker describes Debian's Mosquitto at an address.
func (w *World) newBroker(addr string) *Party {
	w.t.Helper()
	program := "mosquitto"
	if _, err := exec.LookPath(program); err != nil {
		program = "/usr/sbin/mosquitto" // where only root looks for programs
	}
	Need(w.t, program)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		w.t.Fatal(err)
	}
	p := &Party{t: w.t, Data: w.t.TempDir(), ready: `mosquitto version .* running`, logs: true}
	lines := []string{"listener " + port + " " + host, "persistence false", "set_tcp_nodelay true", "allow_anonymous true", "log_dest stderr", "log_type all"}
	if os.Geteuid() == 0 {
		lines = append(lines, "user root")
	}
	WriteFile(w.t, p.Store("mosquitto.conf"), strings.Join(lines, "\n")+"\n")
	p.args = []string{program, "-c", p.Store("mosquitto.conf")}
	return p
}

// CLI runs the command line where the data of a party is.
func (w *World) CLI(p *Party, args ...string) Result {
	w.t.Helper()
	words := append(append([]string{}, p.Prefix...), w.o.Binary)
	words = append(append(words, args...), "--data", p.Data)
	return Command(w.t, "", words[0], words[1:]...)
}

// FreeAddr gives an address of this machine at which nobody listened a moment ago.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Root is the root of the module for tests in a folder two below it.
func Root() string { return filepath.Join("..", "..") }
