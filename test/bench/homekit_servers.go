package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"twinbridge/internal/haptest"
)

// hapCode is the setup code of the servers that are given one.
const hapCode = "518-08-582"

// hapKind is an accessory server that is measured.
type hapKind struct {
	name   string
	ours   bool
	make   func(*bench, int) (*hapHost, error)   // a folder with everything that a start needs, with so many lamps
	reveal func(context.Context, *hapHost) error // finds out code and name once it runs; nil: they are as told
}

// hapHost is one server with its folder, running or not.
type hapHost struct {
	*process
	program string
	args    []string
	data    string
	addr    string
	code    string
	name    string // begins its name in DNS-SD
	began   time.Time
}

// hapKinds lists ours and the others, in the order of the table's columns.
func hapKinds() []hapKind {
	return []hapKind{
		{name: "twinbridge", ours: true, make: (*bench).hapEdge, reveal: hapEdgeSays},
		{name: "HAP-NodeJS 1.2.0", make: (*bench).hapNode},
		{name: "HAP-python 5.0.0", make: (*bench).hapPython},
		{name: "brutella/hap 0.0.35", make: (*bench).hapBrutella},
	}
}

// hapEdge is the edge itself, with lamps of the same four characteristics that its own mapper moves.
func (b *bench) hapEdge(lamps int) (*hapHost, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	data, err := b.folderFor("homekit:\n  listen: \":"+port+"\"\nlog:\n  level: warn\n", colourHouse(lamps))
	if err != nil {
		return nil, err
	}
	return &hapHost{program: b.binary, args: []string{"edge", "--data", data}, data: data, addr: addr}, nil
}

// hapEdgeSays asks the edge for its code, as its owner does.
func hapEdgeSays(ctx context.Context, h *hapHost) error {
	text, err := exec.CommandContext(ctx, h.program, "pair", "homekit", "-o", "json", "--data", h.data).Output()
	if err != nil {
		return fmt.Errorf("pair homekit: %w: %s", err, stderrOf(err))
	}
	var says struct{ Bridges []struct{ Code, Name string } }
	if err := json.Unmarshal(text, &says); err != nil || len(says.Bridges) != 1 {
		return fmt.Errorf("pair homekit printed %.200q: %w", text, err)
	}
	h.code, h.name = says.Bridges[0].Code, says.Bridges[0].Name
	return nil
}

func stderrOf(err error) []byte {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Stderr
	}
	return nil
}

// colourHouse is a manifest of lamps as HomeKit's other servers have them here.
func colourHouse(lamps int) map[string]string {
	property := func(name, most string) string {
		return "    - name: " + name + "\n      type: INT\n      accessMode: ReadWrite\n      minimum: \"0\"\n      maximum: \"" + most + "\"\n"
	}
	text := `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: colourlamp
  annotations:
    twinbridge.dev/kind: colour-lamp
    twinbridge.dev/enum.powerstatus: ON,OFF
spec:
  protocol: sim
  properties:
    - name: powerstatus
      type: STRING
      accessMode: ReadWrite
` + property("brightness", "100") + property("hue", "360") + property("saturation", "100")
	for i := range lamps {
		text += `---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: ` + lamp(i) + `
spec:
  deviceModelRef:
    name: colourlamp
  protocol:
    protocolName: sim
  properties:
    - name: powerstatus
    - name: brightness
    - name: hue
    - name: saturation
`
	}
	return map[string]string{"house.yaml": text}
}

// hapPeer is a server of somebody else: all are called with lamps, port, code, folder and name.
func (b *bench) hapPeer(name string, lamps int, program string, before ...string) (*hapHost, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	b.next++
	data := filepath.Join(b.dir, strconv.Itoa(b.next))
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	name = fmt.Sprintf("bench-%s-%d-%d", name, os.Getpid(), b.next)
	return &hapHost{
		program: program, args: append(before, strconv.Itoa(lamps), port, hapCode, data, name),
		data: data, addr: addr, code: hapCode, name: name,
	}, nil
}

func (b *bench) hapNode(lamps int) (*hapHost, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(b.peers, "node_modules", "hap-nodejs")); err != nil {
		return nil, err
	}
	return b.hapPeer("node", lamps, node, filepath.Join(b.peers, "hapnodejs.mjs"))
}

func (b *bench) hapPython(lamps int) (*hapHost, error) {
	if _, err := os.Stat(b.python); err != nil {
		return nil, fmt.Errorf("-python: %w", err)
	}
	return b.hapPeer("python", lamps, b.python, filepath.Join(b.peers, "happython.py"))
}

// hapBrutella builds that server the first time.
func (b *bench) hapBrutella(lamps int) (*hapHost, error) {
	program := filepath.Join(b.dir, "brutella")
	if _, err := os.Stat(program); err != nil {
		build := exec.Command("go", "build", "-o", program, "./brutella")
		build.Dir = b.peers
		if text, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build brutella: %w: %s", err, text)
		}
	}
	return b.hapPeer("brutella", lamps, program)
}

// start starts the server and waits until its port answers. It gives the time that this took.
func (h *hapHost) start(ctx context.Context) (time.Duration, error) {
	h.began = time.Now()
	p, err := launch(h.program, h.args...)
	if err != nil {
		return 0, err
	}
	h.process = p
	err = until(ctx, readyTime, time.Millisecond, func() (bool, error) {
		select {
		case <-p.done:
			return true, fmt.Errorf("%s ended: %w", h.program, p.err)
		default:
		}
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	})
	took := time.Since(h.began)
	select {
	case <-p.done:
		text, _ := p.out.now()
		return 0, fmt.Errorf("%s ended: %w: %s", h.program, p.err, text)
	default:
	}
	if err != nil {
		return 0, errors.Join(err, p.kill())
	}
	return took, nil
}

// end ends the server. How others end is their affair.
func (h *hapHost) end(ours bool) error {
	if h.process == nil {
		return nil
	}
	if err := h.stop(); ours {
		return err
	}
	return nil
}

// dial verifies and reads once. Some servers may take what comes straight behind pair-verify for plain text and never
// answer; that is counted elsewhere, here another connection is made.
func (h *hapHost) dial(ctx context.Context, c *haptest.Controller, a haptest.Accessory) (*haptest.Conn, error) {
	const tries, patience = 20, 300 * time.Millisecond
	var last error
	for range tries {
		conn, err := c.Dial(ctx, h.addr, a)
		if err != nil {
			last = err
			continue
		}
		conn.Timeout = patience
		if _, err = conn.Get(ctx, []haptest.ID{{AID: 1, IID: 2}}); err == nil {
			conn.Timeout = hapPatience
			return conn, nil
		}
		last = err
		if err := conn.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("none of %d connections was of use: %w", tries, last)
}
