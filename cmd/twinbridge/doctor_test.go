package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checked is a row of what the doctor says.
type checked struct {
	Name, Status string
	Seen, Advice []string
}

func (c checked) says(text string) bool {
	return slices.ContainsFunc(append(slices.Clone(c.Seen), c.Advice...), func(s string) bool { return strings.Contains(s, text) })
}

// doctor runs the doctor on a data folder and gives its rows by their names. The exit code has to fit them; what it is
// depends on the machine too.
func doctor(t *testing.T, data string) map[string]checked {
	t.Helper()
	r := call(t, "", "doctor", "-o", "json", "--data", data)
	var said struct {
		Checks []checked
		Failed bool
	}
	if err := json.Unmarshal([]byte(r.out), &said); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	rows := map[string]checked{}
	failed := false
	for _, c := range said.Checks {
		rows[c.Name] = c
		failed = failed || c.Status == "fail"
	}
	if said.Failed != failed || (r.code == exitError) != failed || r.code != exitOK && r.code != exitError || r.err != "" {
		t.Errorf("failed: %v, the rows say %v, exit %d, stderr %q", said.Failed, failed, r.code, r.err)
	}
	if len(said.Checks) == 0 || said.Checks[0].Name != "node" {
		t.Errorf("the first row is not the node's: %+v", said.Checks)
	}
	return rows
}

// row wants a row to have a status and to say something. The folder of a test may be in memory, which is worth a warning:
// "well" is ok or warn.
func row(t *testing.T, rows map[string]checked, name, status, text string) {
	t.Helper()
	c, ok := rows[name]
	if well := c.Status == "ok" || c.Status == "warn"; status == "well" && well {
		status = c.Status
	}
	if !ok || c.Status != status || !c.says(text) {
		t.Errorf("%s: got %+v; want %s and %q", name, c, status, text)
	}
}

// freeAddress gives an address that nobody has at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// snapshot gives the files of a folder with what is in them.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			files[path] = d.Type().String()
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDoctorNowhere(t *testing.T) {
	data := filepath.Join(t.TempDir(), "none")
	r := call(t, "", "doctor", "--data", data)
	for _, text := range []string{"CHECK", "no node runs", "-> start it: twinbridge edge --data " + data, "there is no data folder", "the defaults hold"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("it does not say %q: %v", text, r)
		}
	}
	if _, err := os.Lstat(data); err == nil || r.code != exitError {
		t.Errorf("exit %d; the data folder was made: %v", r.code, err == nil)
	}
	if r := call(t, "", "doctor", "me"); r.code != exitUsage {
		t.Errorf("an argument: %v", r)
	}
}

// TestDoctor: a node that runs is well, and one that does not is said so; nothing in its folder changes.
func TestDoctor(t *testing.T) {
	data := t.TempDir()
	mqtt, page := freeAddress(t), freeAddress(t)
	write(t, filepath.Join(data, "twinbridge.yaml"), "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: "+page+"\nmqtt:\n  listen: "+mqtt+"\n")
	h := startEdge(t, data, "--demo")
	eventually(t, "the lamp is online", func() bool { return strings.Contains(h.cli("device", "list").out, "online") })
	rows := doctor(t, data)
	row(t, rows, "node", "ok", "devices online: 1 of 1")
	row(t, rows, "configuration", "ok", "twinbridge.yaml")
	row(t, rows, "port mqtt.listen", "ok", mqtt+": the node listens")
	row(t, rows, "port local.listen", "ok", page+": the node listens")
	row(t, rows, "broker", "ok", "tcp://"+mqtt+": connected")
	row(t, rows, "store", "well", "in use by the node")
	row(t, rows, "hub", "skipped", "joined no hub")
	row(t, rows, "certificates", "skipped", "")
	row(t, rows, "gpio", "ok", "no lines configured")
	for _, name := range []string{"mdns", "interfaces", "clock"} {
		if len(rows[name].Seen) == 0 {
			t.Errorf("%s says nothing", name)
		}
	}
	h.stop()

	l, err := net.Listen("tcp", mqtt)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write(t, filepath.Join(data, "devices", "pump.yaml"), strings.NewReplacer(
		"protocol: sim", "protocol: gpio", "{protocolName: sim}", `{protocolName: gpio, configData: {chip: no-such-chip}}`,
		"    - name: powerstatus\n    - name: level\n", "    - {name: powerstatus, visitors: {protocolName: gpio, configData: {line: 17}}}\n",
		"    - {name: level, type: INT, accessMode: ReadWrite, minimum: \"0\", maximum: \"100\"}\n", "", "name: lamp", "name: pumps",
	).Replace(lampNamed("pump")))
	before := snapshot(t, data)
	rows = doctor(t, data)
	row(t, rows, "node", "fail", "no node runs")
	row(t, rows, "port mqtt.listen", "fail", "set mqtt.listen to another port")
	row(t, rows, "port local.listen", "ok", "free")
	row(t, rows, "broker", "skipped", "does not run")
	row(t, rows, "store", "well", "read and checked: good")
	row(t, rows, "gpio", "fail", "no GPIO chip")
	if after := snapshot(t, data); len(after) != len(before) {
		t.Errorf("the folder has changed: %d files, before %d", len(after), len(before))
	} else {
		for path, text := range before {
			if after[path] != text {
				t.Errorf("%s has changed", path)
			}
		}
	}
	// A start is not kept from anything.
	l.Close()
	startEdge(t, data)
}

// TestDoctorBadConfig: what is wrong in the configuration is said, and the rest is looked at all the same.
func TestDoctorBadConfig(t *testing.T) {
	rows := doctor(t, folder(t, "lokal: {}\n"))
	row(t, rows, "configuration", "fail", "lokal")
	row(t, rows, "store", "well", "no edge.db yet")
}

// TestDoctorDamaged: a store that is not what was written.
func TestDoctorDamaged(t *testing.T) {
	data := folder(t, "")
	write(t, filepath.Join(data, "edge.db"), strings.Repeat("twinbridge", 2000))
	rows := doctor(t, data)
	row(t, rows, "store", "fail", "put a backup in its place")
}

// TestDoctorHub: a node that has joined knows its hub, whether the two run or not.
func TestDoctorHub(t *testing.T) {
	data := t.TempDir()
	hub := freeAddress(t)
	write(t, filepath.Join(data, "twinbridge.yaml"), "homekit:\n  listen: 127.0.0.1:0\nlocal:\n  listen: 127.0.0.1:0\nmqtt:\n  listen: 127.0.0.1:0\nhub:\n  listen: "+hub+"\n  plain: 127.0.0.1:0\n")
	up := start(t, "up", "--data", data)
	up.expect(`(?m)^ready: `)
	eventually(t, "the doctor sees the link", func() bool { return doctor(t, data)["hub"].Status == "ok" })
	rows := doctor(t, data)
	row(t, rows, "hub", "ok", "connected to its hub")
	row(t, rows, "port hub.listen", "ok", hub+": the hub listens")
	row(t, rows, "certificates", "skipped", "the running node has it")
	up.stop()

	rows = doctor(t, data)
	row(t, rows, "hub", "fail", "start the hub, or correct the port")
	row(t, rows, "certificates", "ok", "membership of the hub: good until")
	row(t, rows, "port hub.listen", "ok", "free")

	// The hub alone: its certificate and its clock are looked at with what the node knows of it.
	alone := start(t, "cloud", "--data", data)
	alone.expect(`(?m)^ready: `)
	rows = doctor(t, data)
	row(t, rows, "hub", "ok", "https://"+hub+": the hub answers")
	row(t, rows, "port hub.listen", "ok", "the hub listens")
	alone.stop()

	// The node alone: it says why it is not connected.
	edge := start(t, "edge", "--data", data)
	edge.expect(`(?m)^ready: `)
	eventually(t, "the node has tried", func() bool { return doctor(t, data)["hub"].says("the node says: away: connect to hub") })
	rows = doctor(t, data)
	row(t, rows, "hub", "fail", "https://"+hub+": dial")
}
