package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/test/world"
)

// The habits of KubeEdge's own MQTT mappers, as scripts: which topics each subscribes, how carelessly it fills its
// messages, and what makes it fall over. They stand beside the tests with Mosquitto's clients, against regressions.

const kubeedgeManifest = `
apiVersion: devices.kubeedge.io/v1alpha2
kind: DeviceModel
metadata: {name: counter-model, namespace: default}
spec:
  properties:
  - {name: status, description: ON and OFF; the count is reported, type: {string: {accessMode: ReadWrite, defaultValue: ""}}}
---
apiVersion: devices.kubeedge.io/v1alpha2
kind: Device
metadata: {name: counter, namespace: default}
spec: {deviceModelRef: {name: counter-model}}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: coil-model, namespace: default}
spec:
  properties:
  - {name: powerstatus, type: INT, accessMode: ReadWrite, minimum: "0", maximum: "1"}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: coil, namespace: default}
spec: {deviceModelRef: {name: coil-model}}
`

// script is a connection of a scripted mapper.
type script struct {
	t *testing.T
	c mqtt.Client
}

func newScript(t *testing.T, h *home, id string) *script {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + net.JoinHostPort(h.host, h.port)).SetClientID(id).SetCleanSession(true))
	if tok := c.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return &script{t, c}
}

func (s *script) subscribe(topic string, do func(payload []byte)) {
	s.t.Helper()
	if tok := s.c.Subscribe(topic, 0, func(_ mqtt.Client, m mqtt.Message) { do(m.Payload()) }); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		s.t.Fatalf("subscribe %s: %v", topic, tok.Error())
	}
}

func (s *script) publish(topic, payload string) { s.c.Publish(topic, 0, false, payload) }

// twinMessage is what the mappers read of documents, deltas and answers.
type twinMessage struct {
	Code  int               `json:"code"`
	Delta map[string]string `json:"delta"`
	Twin  map[string]struct {
		Expected *struct{ Value *string } `json:"expected"`
		Current  *struct {
			Expected *struct{ Value *string } `json:"expected"`
		} `json:"current"`
	} `json:"twin"`
}

func read(t *testing.T, payload []byte) twinMessage {
	t.Helper()
	var m twinMessage
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Errorf("%v in %s", err, payload)
	}
	return m
}

func startKubeEdgeHome(t *testing.T) *home {
	t.Helper()
	data := t.TempDir()
	writeManifest(t, data, "kubeedge.yaml", kubeedgeManifest)
	return startEdge(t, data, nil)
}

// TestCounterMapper: topic of one level, empty event_id, timestamp 0, metadata type "Updated"; it watches documents for
// what is expected, and panics on one without it.
func TestCounterMapper(t *testing.T) {
	h := startKubeEdgeHome(t)
	s := newScript(t, h, "counter-mapper")
	const base = "$hw/events/device/counter/twin/update"
	switched := make(chan string, 1000)
	var once sync.Once
	s.subscribe(base+"/document", func(payload []byte) {
		m := read(t, payload)
		current := m.Twin["status"].Current
		if current == nil || current.Expected == nil || current.Expected.Value == nil {
			once.Do(func() { t.Errorf("the counter mapper would panic on %s", payload) })
			return
		}
		switched <- *current.Expected.Value
	})
	codes := make(chan int, 1000)
	s.subscribe(base+"/result", func(payload []byte) { codes <- read(t, payload).Code })
	report := func(n int) {
		s.publish(base, `{"event_id":"","timestamp":0,"twin":{"status":{"actual":{"value":"`+strconv.Itoa(n)+`","metadata":{"timestamp":0}},"metadata":{"type":"Updated"}}}}`)
	}
	heard := func(want string) {
		t.Helper()
		for limit := time.After(5 * time.Second); ; {
			select {
			case got := <-switched:
				if got == want {
					return
				}
			case <-limit:
				t.Fatalf("no document told the counter that %s is expected", want)
			}
		}
	}
	taken := func(n int) {
		t.Helper()
		for range n {
			select {
			case code := <-codes:
				if code != 0 {
					t.Errorf("a report of the counter was answered %d", code)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("a report of the counter was not answered")
			}
		}
	}
	report(0)
	taken(1)
	for _, want := range []string{"ON", "OFF"} {
		if r := h.cli("device", "set", "counter", "status="+want); r.Code != 0 {
			t.Fatalf("set: %v", r)
		}
		heard(want)
		if want == "ON" {
			for n := range 20 {
				report(n + 1)
			}
			taken(20)
			counted(t, h, "20")
		}
	}
	report(0)
	taken(1)
	counted(t, h, "0")
}

func counted(t *testing.T, h *home, want string) {
	t.Helper()
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "counter")
		return err == nil && d.Actual("status") == want, fmt.Sprint(d, err)
	})
}

// TestModbusMapper: id of two levels, a report and a state OK in each cycle, deltas carried out unless they equal what
// the mapper was last asked for.
func TestModbusMapper(t *testing.T) {
	h := startKubeEdgeHome(t)
	s := newScript(t, h, "")
	const base = "$hw/events/device/default/coil/"
	var mu sync.Mutex
	coil, desired := "0", "0"
	s.subscribe(base+"twin/update/delta", func(payload []byte) {
		m := read(t, payload)
		mu.Lock()
		defer mu.Unlock()
		if v, ok := m.Delta["powerstatus"]; ok && v != desired {
			desired, coil = v, v
		}
	})
	ctx := t.Context()
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			mu.Lock()
			v := coil
			mu.Unlock()
			s.publish(base+"twin/update", fmt.Sprintf(`{"event_id":"","timestamp":%d,"twin":{"powerstatus":{"actual":{"value":%q,"metadata":{"timestamp":0}},"expected":null,"optional":null,"metadata":{"type":"Updated"}}}}`, time.Now().UnixMilli(), v))
			s.publish(base+"state/update", `{"event_id":"","timestamp":0,"state":"OK"}`)
		}
	}()
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api.Device(ctx, "coil")
		return err == nil && d.Presence == "online" && d.Actual("powerstatus") == 0.0, fmt.Sprint(d, err)
	})
	if r := h.cli("device", "set", "coil", "powerstatus=1", "--wait", "8s"); r.Code != 0 {
		t.Fatalf("set: %v", r)
	}
	mu.Lock()
	got := coil
	coil = "0" // a hand on the switch; the mapper only sees it in its next cycle
	mu.Unlock()
	if got != "1" {
		t.Errorf("told as applied, the coil is %s", got)
	}
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api.Device(ctx, "coil")
		return err == nil && d.Expected("powerstatus") == 0.0 && d.Properties["powerstatus"].Expected.Origin == "device", fmt.Sprint(d, err)
	})
}

// TestPollingMapper: the LED mapper asks twin/get again and again and does what the answer expects.
func TestPollingMapper(t *testing.T) {
	h := startKubeEdgeHome(t)
	s := newScript(t, h, "eventbus")
	const base = "$hw/events/device/coil/twin/"
	expected := make(chan string, 1000)
	s.subscribe(base+"get/result", func(payload []byte) {
		if e := read(t, payload).Twin["powerstatus"].Expected; e != nil && e.Value != nil {
			expected <- *e.Value
		}
	})
	if r := h.cli("device", "set", "coil", "powerstatus=1"); r.Code != 0 {
		t.Fatalf("set: %v", r)
	}
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		s.publish(base+"get", `{"event_id":"123","timestamp":0}`)
		select {
		case v := <-expected:
			return v == "1", "twin/get expects " + v
		default:
			return false, "twin/get is not answered"
		}
	})
	s.publish(base+"update", `{"event_id":"","timestamp":0,"twin":{"powerstatus":{"actual":{"value":"1"},"metadata":{"type":"Updated"}}}}`)
	world.Eventually(t, 5*time.Second, func() (bool, string) {
		d, err := h.api.Device(t.Context(), "coil")
		return err == nil && d.Actual("powerstatus") == 1.0, fmt.Sprint(d, err)
	})
}
