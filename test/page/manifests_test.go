package page

import (
	"fmt"
	"strconv"
	"strings"
)

const models = `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: lamp}
spec: {protocol: sim, properties: [{name: powerstatus, type: STRING, accessMode: ReadWrite}]}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: dimmer, annotations: {twinbridge.dev/enum.effect: "CALM,RAINBOW,FIRE"}}
spec:
  protocol: sim
  properties:
    - {name: powerstatus, type: STRING, accessMode: ReadWrite}
    - {name: brightness, type: INT, accessMode: ReadWrite, minimum: "0", maximum: "100", unit: "%"}
    - {name: effect, type: STRING, accessMode: ReadWrite}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: thermometer}
spec: {protocol: sim, properties: [{name: temperature, type: FLOAT, accessMode: ReadOnly, unit: celsius}]}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: climate, annotations: {twinbridge.dev/enum.mode: "AUTO,HEAT,COOL,OFF", twinbridge.dev/enum.valve: "CLOSED,OPEN", twinbridge.dev/enum.side: "LEFT,RIGHT"}}
spec:
  protocol: sim
  properties:
    - {name: boost, type: BOOLEAN, accessMode: ReadWrite}
    - {name: targetTemperature, type: FLOAT, accessMode: ReadWrite, minimum: "5", maximum: "30", unit: celsius}
    - {name: mode, type: STRING, accessMode: ReadWrite}
    - {name: valve, type: STRING, accessMode: ReadWrite}
    - {name: side, type: STRING, accessMode: ReadWrite}
    - {name: setpoint, type: INT, accessMode: ReadWrite}
    - {name: note, type: STRING, accessMode: ReadWrite}
    - {name: humidity, type: FLOAT, accessMode: ReadOnly, unit: "%"}
`

// device writes a device of a model. config is the simulated device's, as {delay: 3s}.
func device(model, name, title, room, config string) string {
	var b strings.Builder
	protocol := "sim"
	if config == "nobody" {
		protocol, config = "other", ""
	}
	fmt.Fprintf(&b, "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata:\n  name: %s\n  annotations:\n    twinbridge.dev/apply-deadline: 2s\n", strconv.Quote(name))
	if title != "" {
		fmt.Fprintf(&b, "    twinbridge.dev/name: %s\n", strconv.Quote(title))
	}
	if room != "" {
		fmt.Fprintf(&b, "    twinbridge.dev/room: %s\n", strconv.Quote(room))
	}
	fmt.Fprintf(&b, "spec:\n  deviceModelRef: {name: %s}\n  protocol:\n    protocolName: %s\n", model, protocol)
	if config != "" {
		fmt.Fprintf(&b, "    configData: %s\n", config)
	}
	return b.String()
}

// hostile are texts that are markup or script to whoever does not take them as text. checks.mjs knows them by their
// number.
var hostile = []string{
	`<script>window.hit=1</script>`,
	`<img src=x onerror="window.hit=2">`,
	`"><svg onload=window.hit=3>`,
	`'-window.hit-'`,
	`javascript:window.hit=5`,
	`</h3></article><iframe srcdoc="<script>parent.hit=6</script>">`,
	`{{constructor.constructor('window.hit=7')()}}`,
	`<style>*{display:none}</style>`,
	`&lt;b&gt;&#x3c;script>`,
	`<a href="http://192.0.2.1/">x</a><base href="http://192.0.2.1/">`,
	"\u202eevil\u202c \u200f<b>\u2066",
	`__proto__`,
	strings.Repeat("W", 300),
}

func homeManifests() string {
	all := models +
		device("lamp", "hall", "Hall lamp", "Hall", "") +
		device("dimmer", "table", "Dining table", "Kitchen", "") +
		device("thermometer", "fridge", "Fridge", "Kitchen", "") +
		device("lamp", "stuck", "Porch light", "Outside", "{stuck: true}") +
		device("lamp", "gone", "Garden socket", "Outside", "{gone: true}") +
		device("lamp", "slow", "Workshop", "Cellar", "{delay: 1500ms}") +
		device("lamp", "foreign", "Foreign relay", "Cellar", "nobody") +
		device("climate", "climate", "Klimaanlage", "Büro", "")
	return all
}

// hostileManifests adds devices whose names, titles and rooms are hostile.
func hostileManifests() string {
	all := models
	for i, text := range hostile {
		all += device("climate", fmt.Sprintf("h%d", i), text, text, "")
	}
	return all + device("lamp", "<b>&\"<", "", "", "") + device("lamp", "客厅吊灯", "", "客厅", "") + device("lamp", "مصباح", "مصباح غرفة النوم", "غرفة النوم", "")
}

// hubManifests are those of two nodes of a hub.
func hubManifests() map[string]string {
	return map[string]string{
		"attic": models +
			device("lamp", "hall", "Hall lamp", "Hall", "") +
			device("lamp", "socket", "Garden socket", "Outside", "{gone: true}"),
		"cellar": models + device("dimmer", "bench", "Workbench", "Workshop", ""),
	}
}

func manyManifests(n int) string { return someManifests(n, 0, 1) }

// someManifests are every step-th of n devices, from the first on.
func someManifests(n, first, step int) string {
	var b strings.Builder
	b.WriteString(models)
	rooms := []string{"Kitchen", "Hall", "Cellar", "Attic", "Office", "Bath", "Garden", "Bedroom"}
	for i := first; i < n; i += step {
		model, config := "lamp", ""
		switch i % 6 {
		case 3:
			model = "dimmer"
		case 5:
			model = "thermometer"
		}
		if i%20 == 7 {
			config = "{gone: true}"
		}
		b.WriteString(device(model, fmt.Sprintf("d%04d", i), fmt.Sprintf("Device %d", i), rooms[i%len(rooms)], config))
	}
	return b.String()
}
