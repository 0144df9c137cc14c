package edge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// demoLamp is the manifest of a lamp to try things with.
const demoLamp = `# A lamp that exists in memory only, to try twinbridge with. This is a manifest as KubeEdge has them
# (devices.kubeedge.io/v1beta1): first a model, which says what such a device can do, then a device.
#
# Edit it while twinbridge runs: changes are taken at once. To have a real relay on a GPIO line instead, set
# protocolName to gpio and take the comments away below.
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: lamp
  namespace: default
  annotations:
    twinbridge.dev/kind: lamp
spec:
  protocol: sim
  properties:
    - name: powerstatus # ON or OFF
      description: Whether the lamp shines
      type: STRING
      accessMode: ReadWrite
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: lamp
  namespace: default
  annotations:
    twinbridge.dev/name: Lamp # what people see
spec:
  deviceModelRef:
    name: lamp
  protocol:
    protocolName: sim
    # configData:
    #   chip: gpiochip0
  properties:
    - name: powerstatus
      # visitors:
      #   protocolName: gpio
      #   configData:
      #     line: pin:11 # the eleventh pin of the header, which is line 17
      #     activeLow: true # most relay boards switch on at a low level
`

// writeDemo puts the demo lamp into an empty devices folder.
func writeDemo(dir string) error {
	some, err := hasManifests(dir)
	if err != nil || some {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make device folder: %w", err)
	}
	if err := writeFile(filepath.Join(dir, "lamp.yaml"), demoLamp); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write the demo lamp: %w", err)
	}
	return nil
}
