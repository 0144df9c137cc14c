package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// keeper starts and kills the nodes of a hub, as it is told over HTTP: what a check does to one of them is done to a
// whole process.
type keeper struct {
	program string

	mu    sync.Mutex
	data  map[string]string
	nodes map[string]*process // those that run
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	act, node, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if err := k.do(act, node); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (k *keeper) do(act, node string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.nodes[node]
	switch {
	case act == "kill" && p != nil:
		delete(k.nodes, node)
		return p.end(syscall.SIGKILL)
	case act == "start" && p == nil && k.data[node] != "":
		p, err := launch(k.program, "edge", k.data[node])
		if err == nil {
			k.nodes[node] = p
		}
		return err
	}
	return fmt.Errorf("%s node %s: expected kill of one that runs, or start of one that does not", act, node)
}

// openHub starts a hub and these nodes with their manifests. The first of them is the one whose own page is told of.
func openHub(t *testing.T, program string, names []string, manifests map[string]string) house {
	t.Helper()
	data := t.TempDir()
	write(t, data, map[string]string{"twinbridge.yaml": "homekit:\n  listen: \"\"\nhub:\n  listen: 127.0.0.1:0\n  plain: 127.0.0.1:0\nlog:\n  level: error\n"})
	hub := begin(t, program, "cloud", data)
	k := &keeper{program: program, data: map[string]string{}, nodes: map[string]*process{}}
	t.Cleanup(func() {
		for name, p := range k.nodes {
			if err := p.end(syscall.SIGTERM); err != nil {
				t.Errorf("the end of node %s: %v", name, err)
			}
		}
	})
	for _, name := range names {
		k.data[name] = t.TempDir()
		fill(t, k.data[name], name, manifests[name])
		token := output(t, "", program, "cloud", "token", "--node", name, "--data", data)
		output(t, token, program, "join", "-", "--data", k.data[name])
		if err := k.do("start", name); err != nil {
			t.Fatalf("node %s: %v", name, err)
		}
	}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	h := hub.house()
	edge := k.nodes[names[0]].house()
	h.Keeper, h.Folders, h.Edge, h.Home = server.URL, k.data, &edge, t.TempDir()
	trust(t, h.Home, filepath.Join(data, "hub-ca.crt"))
	return h
}

// trust makes the hub's CA one that a browser with this home trusts, as a person does who imports it.
func trust(t *testing.T, home, ca string) {
	t.Helper()
	for _, folder := range []string{".pki/nssdb", ".local/share/pki/nssdb"} { // newer ones look in the second
		db := filepath.Join(home, filepath.FromSlash(folder))
		write(t, db, map[string]string{".keep": ""})
		output(t, "", "certutil", "-N", "--empty-password", "-d", "sql:"+db)
		output(t, "", "certutil", "-A", "-n", "the hub of the test", "-t", "C,,", "-d", "sql:"+db, "-i", ca)
	}
}

func TestHub(t *testing.T) {
	need(t)
	run(t, openHub(t, built.Path(t), []string{"attic", "cellar"}, hubManifests()), "hub", 4*time.Minute)
}

func TestHubMany(t *testing.T) {
	need(t)
	program := built.Path(t)
	names := []string{"attic", "barn", "cellar"}
	for _, n := range []int{60, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			all := map[string]string{}
			for i, name := range names {
				all[name] = someManifests(n, i, len(names))
			}
			run(t, openHub(t, program, names, all), fmt.Sprintf("sites%d", n), 3*time.Minute)
		})
	}
}
