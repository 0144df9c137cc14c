package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// nodeName is the node of every edge here; membership topics carry it.
const nodeName = "bench"

// edge is a running edge node.
type edge struct {
	*process
	data   string
	broker string // host:port
	api    *api
}

var ready = regexp.MustCompile(`(?m)^ready: .*mqtt ([0-9.]+:[0-9]+)`)

// folderFor makes a data folder with a configuration and manifests, by file name.
func (b *bench) folderFor(config string, manifests map[string]string) (string, error) {
	b.next++
	data := filepath.Join(b.dir, strconv.Itoa(b.next))
	devices := filepath.Join(data, "devices")
	if err := os.MkdirAll(devices, 0o700); err != nil {
		return "", err
	}
	text := "node:\n  name: " + nodeName + "\nlocal:\n  listen: 127.0.0.1:0\nmqtt:\n  listen: 127.0.0.1:0\n" + config
	if !strings.Contains(config, "homekit:") {
		text += "homekit:\n  listen: 127.0.0.1:0\n"
	}
	if err := os.WriteFile(filepath.Join(data, "twinbridge.yaml"), []byte(text), 0o600); err != nil {
		return "", err
	}
	for name, m := range manifests {
		if err := os.WriteFile(filepath.Join(devices, name), []byte(m), 0o600); err != nil {
			return "", err
		}
	}
	return data, nil
}

// edge starts an edge on a data folder and waits until it is ready.
func (b *bench) edge(ctx context.Context, data string) (*edge, error) {
	p, err := launch(b.binary, "edge", "--data", data)
	if err != nil {
		return nil, err
	}
	m, err := p.says(ctx, ready)
	if err != nil {
		_ = p.kill() // the error above is the one to tell
		return nil, err
	}
	return &edge{process: p, data: data, broker: m[1], api: newAPI(filepath.Join(data, "edge.sock"))}, nil
}

// close ends the edge in order.
func (e *edge) close() error {
	e.api.close()
	return e.stop()
}

// mapperElsewhere is the configuration of an edge whose devices others move.
const mapperElsewhere = "mapper:\n  enabled: false\n"

// model is that of all devices here: a lamp with a counter that only its mapper sets.
func model(protocol string) string {
	return `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: lamp
  annotations:
    twinbridge.dev/enum.powerstatus: ON,OFF
spec:
  protocol: ` + protocol + `
  properties:
    - name: powerstatus
      type: STRING
      accessMode: ReadWrite
    - name: count
      type: INT
      accessMode: ReadOnly
`
}

func device(protocol, name string) string {
	return `apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: ` + name + `
spec:
  deviceModelRef:
    name: lamp
  protocol:
    protocolName: ` + protocol + `
  properties:
    - name: powerstatus
    - name: count
`
}

// lamp names the i-th device.
func lamp(i int) string { return fmt.Sprintf("lamp%d", i) }

// house is one manifest with a number of lamps. Those of protocol sim are moved by the mapper of twinbridge, those of any
// other one by nobody but these measurements.
func house(protocol string, lamps int) map[string]string {
	var b strings.Builder
	b.WriteString(model(protocol))
	for i := range lamps {
		b.WriteString("---\n" + device(protocol, lamp(i)))
	}
	return map[string]string{"house.yaml": b.String()}
}
