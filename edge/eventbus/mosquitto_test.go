package eventbus

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// need skips a test where a tool is missing; where nothing may be missing it fails.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: apt-get install mosquitto-clients", tool)
			}
			t.Skipf("%s is missing: apt-get install mosquitto-clients", tool)
		}
	}
}

// mosquitto runs one of Mosquitto's clients against the bus.
func (h *house) mosquitto(tool string, args ...string) *exec.Cmd {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	h.t.Cleanup(cancel)
	return exec.CommandContext(ctx, tool, append([]string{"-h", "127.0.0.1", "-p", portOf(h.addr)}, args...)...)
}

func (h *house) pub(args ...string) {
	h.t.Helper()
	if out, err := h.mosquitto("mosquitto_pub", args...).CombinedOutput(); err != nil {
		h.t.Fatalf("mosquitto_pub %q: %v\n%s", args, err, out)
	}
}

// sub is a running mosquitto_sub.
type sub struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

// sub starts mosquitto_sub and waits until it has subscribed.
func (h *house) sub(t *testing.T, args ...string) *sub {
	t.Helper()
	before := atomic.LoadInt64(&h.bus.broker.server.Info.Subscriptions)
	s := h.startSub(t, args...)
	eventually(t, func() (bool, string) {
		return atomic.LoadInt64(&h.bus.broker.server.Info.Subscriptions) > before, "mosquitto_sub has not subscribed"
	})
	return s
}

// startSub starts mosquitto_sub and does not wait until it has subscribed.
func (h *house) startSub(t *testing.T, args ...string) *sub {
	t.Helper()
	cmd := h.mosquitto("mosquitto_sub", append([]string{"-F", "%r %t %p"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &sub{t, cmd, make(chan string, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			s.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-read
		cmd.Wait()
	})
	return s
}

// next gives the next message: retained or not, topic, payload.
func (s *sub) next() (name, payload string) {
	s.t.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok {
			s.t.Fatal("mosquitto_sub ended")
		}
		retained, rest, _ := strings.Cut(line, " ")
		if retained != "0" {
			s.t.Errorf("a retained message: %s", line)
		}
		name, payload, _ = strings.Cut(rest, " ")
		return name, payload
	case <-time.After(10 * time.Second):
		s.t.Fatal("no message within 10 s")
	}
	return "", ""
}

// TestMosquitto has Debian's clients speak on every topic, in both shapes and all versions of MQTT.
func TestMosquitto(t *testing.T) {
	need(t, "mosquitto_pub", "mosquitto_sub")
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		for _, base := range []string{two, one} {
			t.Run(version+" "+base, func(t *testing.T) {
				h := newHouse(t, "lamp")
				s := h.sub(t, "-V", version, "-t", base+"/#")
				expect := func(suffix string, holds ...string) {
					t.Helper()
					name, payload := s.next()
					if name != base+suffix {
						t.Fatalf("got %s %s, want it on %s", name, payload, suffix)
					}
					for _, want := range holds {
						if !strings.Contains(payload, want) {
							t.Errorf("%s does not hold %s: %s", name, want, payload)
						}
					}
				}
				pub := func(suffix, payload string, args ...string) {
					t.Helper()
					h.pub(append([]string{"-V", version, "-t", base + suffix, "-m", payload}, args...)...)
					expect(suffix, payload)
				}
				pub("/twin/update", `{"event_id":"u1","timestamp":1700000000000,"twin":{"powerstatus":{"actual":{"value":"ON"},"metadata":{"type":"string"}}}}`)
				expect("/twin/update/result", `{"event_id":"u1","timestamp":`, `"twin":{"powerstatus":{"actual":{"value":"ON","metadata":{"timestamp":`, `}},"optional":true,"metadata":{"type":"string"}}}}`)
				expect("/twin/update/document", `"event_id":"u1"`, `"twin":{"powerstatus":{"last":null,"current":{"expected":{"value":"ON"`)
				// A wish: its result comes when it is durable, beside document and delta.
				h.pub("-V", version, "-q", "1", "-t", base+"/twin/update", "-m", `{"event_id":"w1","timestamp":0,"twin":{"powerstatus":{"expected":{"value":"OFF"}}}}`)
				left := map[string]string{
					"/twin/update": `"w1"`, "/twin/update/result": `{"powerstatus":{"expected":{"value":"OFF","metadata":{"timestamp":`,
					"/twin/update/document": `"current":{"expected":{"value":"OFF"`, "/twin/update/delta": `"delta":{"powerstatus":"OFF"}}`,
				}
				for len(left) > 0 {
					name, payload := s.next()
					suffix := strings.TrimPrefix(name, base)
					if want, ok := left[suffix]; !ok || !strings.Contains(payload, want) {
						t.Errorf("got %s %s, want one of %v", name, payload, left)
					}
					delete(left, suffix)
				}
				pub("/twin/get", `{"event_id":"g1","timestamp":1}`)
				expect("/twin/get/result", `{"event_id":"g1"`, `"powerstatus":{"expected":{"value":"OFF"`, `"actual":{"value":"ON"`)
				expect("/twin/update/delta", `"delta":{"powerstatus":"OFF"}`)
				pub("/state/update", `{"event_id":"s1","timestamp":1,"state":"OK"}`)
				expect("/state/update/result", `{"event_id":"s1"`, `"device":{"name":"lamp","state":"OK","lastOnlineTime":"2`)
				pub("/twin/update", `{"event_id":"p1","twin":{"powerstatus":{"expected":{}}}}`)
				expect("/twin/update/result", `{"event_id":"p1"`, `"code":400,"reason":"twin.powerstatus`)

				m := h.sub(t, "-V", version, "-t", "$hw/events/node/edge1/membership/#")
				h.pub("-V", version, "-t", "$hw/events/node/edge1/membership/get", "-m", `{"event_id":"m1","timestamp":1}`)
				m.next()
				if name, payload := m.next(); !strings.HasSuffix(name, "/get/result") || !strings.Contains(payload, `"devices":[{"id":"default/lamp","name":"lamp"`) {
					t.Errorf("got %s %s", name, payload)
				}
				h.define("fan")
				if name, payload := m.next(); !strings.HasSuffix(name, "/membership/updated") || !strings.Contains(payload, `"added_devices":[{"id":"default/fan","name":"fan"`) || !strings.HasSuffix(payload, `"removed_devices":null}`) {
					t.Errorf("got %s %s", name, payload)
				}
			})
		}
	}
}

// TestMosquittoKilled: a mapper of Mosquitto's clients that is killed leaves its device offline, by its will too, whatever delay that asks for.
func TestMosquittoKilled(t *testing.T) {
	need(t, "mosquitto_pub", "mosquitto_sub")
	h := newHouse(t, "lamp", "fan")
	in, err := h.startPub("-V", "mqttv5", "-l", "-t", two+"/twin/update", "-D", "will", "will-delay-interval", "30", "--will-topic", "$hw/events/device/fan/state/update", "--will-payload", `{"state":"offline"}`, "-i", "mapper")
	if err != nil {
		t.Fatal(err)
	}
	h.pub("-t", "$hw/events/device/fan/state/update", "-m", `{"state":"online"}`)
	h.becomes("fan", twin.Online)
	fmt.Fprintln(in.stdin, report("r", "powerstatus", "ON"))
	h.becomes("lamp", twin.Online)
	if err := in.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	h.becomes("lamp", twin.Offline)
	h.becomes("fan", twin.Offline)

	// One connection for each report: a clean end leaves the device online.
	h.pub("-t", one+"/twin/update", "-m", report("r", "powerstatus", "ON"))
	h.settled(0)
	if p := h.presence("lamp"); p != twin.Online {
		t.Errorf("after a report of one connection the lamp is %s", p)
	}
}

// TestForeignMapper lets the lamp be driven by a loop over Mosquitto's clients, one connection for each report.
func TestForeignMapper(t *testing.T) {
	need(t, "mosquitto_pub", "mosquitto_sub")
	h := newHouse(t, "lamp")
	s := h.sub(t, "-t", one+"/twin/update/delta")
	for i := range 4 {
		want := []string{"ON", "OFF"}[i%2]
		w := h.wish("lamp", "powerstatus", twin.StringValue(want))
		// The first offer may come twice: by the wish, and because somebody subscribed.
		value := ""
		for value == "" || i == 1 && value == "ON" {
			_, payload := s.next()
			d, err := topic.DecodeDelta([]byte(payload))
			if err != nil || len(d.Wanted) != 1 {
				t.Fatalf("delta %s: %v", payload, err)
			}
			value = d.Wanted[0].Value
		}
		if value != want {
			t.Fatalf("wished %s, offered %s", want, value)
		}
		h.pub("-t", one+"/twin/update", "-m", report("", "powerstatus", want))
		got, err := h.store.WaitOutcome(t.Context(), w.Device, w.ID)
		if err != nil || got.Outcome != twin.Applied {
			t.Fatalf("the wish is %s, %v", got.Outcome, err)
		}
	}
}
