package homekit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"twinbridge/test/world"
)

// built is the program under test, once the first test has built it.
var built world.Built

func TestMain(m *testing.M) { built.Main(m) }

// twinbridge is the real edge with simulated lamps.
type twinbridge struct {
	*world.Process
	t      *testing.T
	words  []string
	binary string
	data   string
	api    *world.API
	code   string // that was told last: while it is paired, none is
}

// newTwinbridge describes one.
func newTwinbridge(t *testing.T, n *network, part string, lamps int) accessory {
	t.Helper()
	w := &twinbridge{t: t, binary: built.Path(t), data: t.TempDir()}
	manifest := world.ModelManifest("dimmer", "sim", world.Power, world.Brightness)
	for i := range lamps {
		manifest += fmt.Sprintf(`---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: %s, annotations: {twinbridge.dev/name: %q}}
spec: {deviceModelRef: {name: dimmer}, protocol: {protocolName: sim}}
`, deviceName(i+1), lampName(i+1))
	}
	world.WriteFile(t, filepath.Join(w.data, "twinbridge.yaml"), "node:\n  name: cellar\nmqtt:\n  listen: 127.0.0.1:0\nlocal:\n  listen: \"\"\nhomekit:\n  listen: \":51827\"\n")
	world.WriteFile(t, filepath.Join(w.data, "devices", "house.yaml"), manifest)
	w.words = append(n.inside(part), w.binary, "edge", "--data", w.data)
	w.api = world.NewSocketAPI(filepath.Join(w.data, "edge.sock"))
	t.Cleanup(w.api.Close)
	return w
}

func deviceName(lamp int) string { return fmt.Sprintf("lamp-%d", lamp) }

func (w *twinbridge) Start() {
	w.t.Helper()
	w.Process = world.Start(w.t, w.words[0], w.words[1:]...)
	w.Expect(w.Stdout, `(?m)^ready: `, world.StartTime)
}

func (w *twinbridge) Stop() {
	w.t.Helper()
	if code := w.Process.Stop(30 * time.Second); code != 0 {
		w.t.Errorf("it ended with status %d", code)
	}
}

// SetupCode asks as a person does.
func (w *twinbridge) SetupCode() string {
	w.t.Helper()
	r := world.Command(w.t, "", w.binary, "pair", "homekit", "-o", "json", "--data", w.data)
	var all struct {
		Bridges []struct {
			Code, Payload, ID, Name string
			Paired                  bool
			Port                    int
		}
	}
	if err := json.Unmarshal([]byte(r.Out), &all); err != nil || r.Code != 0 || len(all.Bridges) != 1 {
		w.t.Fatalf("twinbridge pair homekit: %v, %v", r, err)
	}
	told := all.Bridges[0]
	if told.Port != 51827 || told.ID == "" || told.Name == "" {
		w.t.Errorf("twinbridge pair homekit says %+v", told)
	}
	if told.Paired {
		return w.code
	}
	if !regexp.MustCompile(`^\d{3}-\d{2}-\d{3}$`).MatchString(told.Code) || !strings.HasPrefix(told.Payload, "X-HM://") {
		w.t.Fatalf("twinbridge pair homekit says %+v", told)
	}
	w.code = told.Code
	return w.code
}

// Set wishes on the spot, as the CLI does.
func (w *twinbridge) Set(ctx context.Context, lamp int, on bool) error {
	value := map[bool]string{false: "OFF", true: "ON"}[on]
	status, wish, err := w.api.Patch(ctx, deviceName(lamp), "?wait=10s", fmt.Sprintf(`{"expected":{"powerstatus":%q}}`, value))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("switch %s: status %d, %+v", deviceName(lamp), status, wish)
	}
	return err
}

// wishes counts those that came to the twin and were not refused there.
var wishes = regexp.MustCompile(`(?m)^twinbridge_wishes_total\{outcome="(?:applied|expired|failed|superseded)"\} (\d+)$`)

func (w *twinbridge) See(ctx context.Context, lamp int) (view, error) {
	d, err := w.api.Device(ctx, deviceName(lamp))
	if err != nil {
		return view{}, err
	}
	v := view{On: d.Actual("powerstatus") == "ON"}
	req, err := w.api.Request(ctx, http.MethodGet, "/metrics", "")
	if err != nil {
		return v, err
	}
	res, err := w.api.HTTP.Do(req)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return v, err
	}
	for _, m := range wishes.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return v, err
		}
		v.Writes += n
	}
	return v, nil
}

// Differs: it is as the scenes say.
func (*twinbridge) Differs(string) string { return "" }
