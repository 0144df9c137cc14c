package homekit

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Kinds of controllers.
const (
	hapController = "hap-controller"
	aiohomekit    = "aiohomekit"
)

// program gives the words that start a kind of controller. Where nobody promised that it is there, the test is left out.
func program(t testing.TB, kind string) []string {
	t.Helper()
	need := func(path, what string) {
		if _, err := os.Stat(path); err == nil {
			return
		} else if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs %s: %v", what, err)
		} else {
			t.Skipf("this test needs %s (make homekit installs it): %v", what, err)
		}
	}
	switch kind {
	case hapController:
		need(filepath.Join("node_modules", "hap-controller"), kind)
		return []string{node(t), filepath.Join("controllers", "hapcontroller.mjs")}
	default:
		python := filepath.Join(os.Getenv("AIOHOMEKIT"), "bin", "python3")
		need(python, kind+"; AIOHOMEKIT names its venv")
		return []string{python, filepath.Join("controllers", "aiohomekit_driver.py")}
	}
}

// node gives the interpreter of JavaScript.
func node(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("this test needs Node.js (make homekit installs it): %v", err)
	}
	return path
}

// controller is a foreign controller of at most one accessory.
type controller struct {
	*talker
	kind    string
	service service // that it last discovered
	pairing pairing // that it has
}

// service is an instance of _hap._tcp as a controller sees it.
type service struct {
	Name      string            `json:"name"`
	ID        string            `json:"id"`
	Addresses []string          `json:"addresses"`
	Port      int               `json:"port"`
	TXT       map[string]string `json:"txt"`
}

// identity is what a controller is known by.
type identity struct {
	Controller string `json:"controller"` // iOSDevicePairingID
	Public     string `json:"public"`     // Ed25519, 32 bytes in hexadecimal digits
	Secret     string `json:"secret"`     // its seed
}

// pairing is what a controller keeps, whatever its kind.
type pairing struct {
	identity
	Accessory string `json:"accessory"` // device ID
	Key       string `json:"accessoryKey"`
}

// entry is a pairing as the accessory lists it.
type entry struct {
	Controller string `json:"controller"`
	Public     string `json:"public"`
	Admin      bool   `json:"admin"`
}

// newController starts one on a machine.
func newController(t testing.TB, n *network, part, kind string) *controller {
	t.Helper()
	return &controller{talker: startTalker(t, append(n.inside(part), program(t, kind)...)...), kind: kind}
}

// discover looks with a browser that knows nothing yet, until it sees the accessory (any if id is "") with a status flag
// (any if sf is "").
func (c *controller) discover(ctx context.Context, id, sf string) (service, error) {
	what := map[string]any{"accessory": id}
	if sf != "" {
		what["sf"] = sf
	}
	var s service
	if err := c.ask(ctx, "discover", what, &s); err != nil {
		return s, err
	}
	c.service = s
	return s, nil
}

// where says where the accessory is that was last discovered.
func (c *controller) where() map[string]any {
	ff, _ := strconv.Atoi(c.service.TXT["ff"])
	return map[string]any{"accessory": c.service.ID, "addresses": c.addresses(), "port": c.service.Port, "ff": ff}
}

// addresses are those of the accessory that need no zone, IPv4 first: hap-controller takes the first one.
func (c *controller) addresses() []string {
	var v4, v6 []string
	for _, a := range c.service.Addresses {
		switch {
		case strings.HasPrefix(a, "fe80:"):
		case strings.Contains(a, ":"):
			v6 = append(v6, a)
		default:
			v4 = append(v4, a)
		}
	}
	return append(v4, v6...)
}

// pair pairs with the accessory that was last discovered.
func (c *controller) pair(ctx context.Context, code string) error {
	what := c.where()
	what["code"] = code
	var p pairing
	if err := c.ask(ctx, "pair", what, &p); err != nil {
		return err
	}
	c.pairing = p
	return nil
}

// identify asks the accessory that was last discovered, without a pairing.
func (c *controller) identify(ctx context.Context) error {
	return c.ask(ctx, "identify", c.where(), nil)
}

// identity makes new keys.
func (c *controller) identity(ctx context.Context) (identity, error) {
	var i identity
	err := c.ask(ctx, "new", nil, &i)
	return i, err
}

// load takes a pairing with the accessory that was last discovered.
func (c *controller) load(ctx context.Context, p pairing) error {
	return c.loadAt(ctx, p, c.addresses(), false)
}

// loadAt is load with the addresses to try. same: events come on the connection that asks, as with aiohomekit always;
// hap-controller else has one of their own for them.
func (c *controller) loadAt(ctx context.Context, p pairing, addresses []string, same bool) error {
	c.pairing = p
	return c.ask(ctx, "load", map[string]any{"pairing": p, "addresses": addresses, "port": c.service.Port, "same": same}, nil)
}

// again closes all connections and begins anew with the same pairing.
func (c *controller) again(ctx context.Context, addresses []string, same bool) error {
	if err := c.close(ctx); err != nil {
		return err
	}
	return c.loadAt(ctx, c.pairing, addresses, same)
}

// accessories reads the database.
func (c *controller) accessories(ctx context.Context) (database, error) {
	var d database
	err := c.ask(ctx, "accessories", nil, &d)
	return d, err
}

// id names a characteristic.
type id [2]uint64

// get reads characteristics. Flags are meta, perms, type and ev.
func (c *controller) get(ctx context.Context, flags []string, ids ...id) ([]characteristic, error) {
	var rows []characteristic
	err := c.ask(ctx, "get", map[string]any{"ids": ids, "flags": flags}, &rows)
	return rows, err
}

// write is a value that a characteristic is to have.
type write struct {
	AID   uint64 `json:"aid"`
	IID   uint64 `json:"iid"`
	Value any    `json:"value"`
}

// set makes a write.
func set(i id, value any) write { return write{i[0], i[1], value} }

// options tell how something is written.
type options struct {
	timed    int  // ms between prepare and the end of the time for writing; 0: an ordinary write
	response bool // the value is asked back
}

// put writes, and gives the rows that the answer has: none if all is well.
func (c *controller) put(ctx context.Context, o options, writes ...write) ([]characteristic, error) {
	what := map[string]any{"writes": writes}
	if o.timed != 0 {
		what["timed"] = o.timed
	}
	if o.response {
		what["response"] = true
	}
	var rows []characteristic
	err := c.ask(ctx, "put", what, &rows)
	return rows, err
}

// subscribe asks for events, and gives the rows that the answer has: none if all is well.
func (c *controller) subscribe(ctx context.Context, ids ...id) ([]characteristic, error) {
	var rows []characteristic
	err := c.ask(ctx, "subscribe", map[string]any{"ids": ids}, &rows)
	return rows, err
}

// unsubscribe takes it back.
func (c *controller) unsubscribe(ctx context.Context, ids ...id) error {
	return c.ask(ctx, "unsubscribe", map[string]any{"ids": ids}, nil)
}

// list gives the pairings that the accessory has.
func (c *controller) list(ctx context.Context) ([]entry, error) {
	var es []entry
	err := c.ask(ctx, "list", nil, &es)
	return es, err
}

// add gives another controller a pairing.
func (c *controller) add(ctx context.Context, i identity, admin bool) error {
	what := map[string]any{"admin": admin}
	maps.Copy(what, map[string]any{"controller": i.Controller, "public": i.Public})
	return c.ask(ctx, "add", what, nil)
}

// remove takes a controller's pairing away.
func (c *controller) remove(ctx context.Context, who string) error {
	return c.ask(ctx, "remove", map[string]any{"controller": who}, nil)
}

// close forgets pairing and connections, here alone.
func (c *controller) close(ctx context.Context) error { return c.ask(ctx, "close", nil, nil) }

// isTrue and isFalse are what a bool may look like: HAP allows numbers.
func isTrue(v json.RawMessage) bool  { return string(v) == "true" || string(v) == "1" }
func isFalse(v json.RawMessage) bool { return string(v) == "false" || string(v) == "0" }
