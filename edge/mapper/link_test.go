package mapper

import (
	"fmt"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"twinbridge/edge/eventbus/topic"
)

// message is an MQTT message as the client library hands it over.
type message struct {
	paho.Message
	topic    string
	retained bool
}

func (m message) Topic() string   { return m.topic }
func (m message) Payload() []byte { return []byte("payload") }
func (m message) Retained() bool  { return m.retained }

func TestHandlerSorts(t *testing.T) {
	l := &link{notes: make(chan note, maxNotes), flooded: make(chan struct{})}
	var deltas []string
	handle := l.handler(func(t topic.Topic, payload []byte) { deltas = append(deltas, t.Device.String()+" "+string(payload)) })
	deltaTopic := topic.Of(topic.TwinDelta, lamp).String()
	handle(nil, message{topic: deltaTopic, retained: true}) // what was said long ago must not move anything
	handle(nil, message{topic: "$twinbridge/sim/default/lamp/press", retained: true})
	handle(nil, message{topic: deltaTopic})
	handle(nil, message{topic: "$hw/events/node/house/membership/updated"})
	if got := fmt.Sprint(deltas); got != "[default/lamp payload]" {
		t.Errorf("deltas: got %s", got)
	}
	if len(l.notes) != 1 {
		t.Errorf("notes: got %d; want 1", len(l.notes))
	}
	// Nobody looks at the notes: the connection is given up, and never held up.
	for range 2 * maxNotes {
		select {
		case <-l.flooded:
			if len(l.notes) != maxNotes {
				t.Errorf("flooded with %d notes; want %d", len(l.notes), maxNotes)
			}
		default:
		}
		handle(nil, message{topic: "$hw/events/node/house/membership/updated"})
	}
	select {
	case <-l.flooded:
	default:
		t.Error("not flooded")
	}
}
