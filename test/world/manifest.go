package world

import "strings"

// Properties of models, for ModelManifest.
const (
	Power      = "{name: powerstatus, type: STRING, accessMode: ReadWrite}"
	Brightness = `{name: brightness, type: INT, accessMode: ReadWrite, minimum: "0", maximum: "100", unit: "%"}`
)

// Lamps is a manifest of simulated lamps, of the model lamp.
func Lamps(names ...string) string {
	text := ModelManifest("lamp", "sim", Power)
	for _, name := range names {
		text += DeviceManifest(name, "lamp", "sim")
	}
	return text
}

// ModelManifest is a document that defines a model.
func ModelManifest(name, protocol string, properties ...string) string {
	return `---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: ` + name + `
spec:
  protocol: ` + protocol + `
  properties:
    - ` + strings.Join(properties, "\n    - ") + "\n"
}

// DeviceManifest is a document that defines a device; lines are what its spec says beside model and protocol.
func DeviceManifest(name, model, protocol string, lines ...string) string {
	text := `---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: ` + name + `
spec:
  deviceModelRef:
    name: ` + model + `
  protocol:
    protocolName: ` + protocol + "\n"
	for _, line := range lines {
		text += "  " + line + "\n"
	}
	return text
}
