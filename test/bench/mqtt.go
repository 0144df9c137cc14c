package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	brokerTime = 10 * time.Second // for a broker to answer
	roundTime  = 5 * time.Second  // for one message to come back
	inbox      = 1 << 15          // messages that a client has not looked at yet
)

// client is an MQTT client as mappers are: the library that most of them use, MQTT 3.1.1, QoS 0.
type client struct {
	paho.Client
	in   chan paho.Message
	lost atomic.Uint64 // messages that came while in was full, which spoils a measurement
}

var clients atomic.Uint64

// dial connects to a broker and subscribes.
func dial(broker string, filters ...string) (*client, error) {
	c := &client{in: make(chan paho.Message, inbox)}
	o := paho.NewClientOptions().AddBroker("tcp://" + broker).SetProtocolVersion(4).SetCleanSession(true).
		SetClientID("bench-" + strconv.FormatUint(clients.Add(1), 10)).
		SetAutoReconnect(false).SetConnectTimeout(brokerTime).SetKeepAlive(time.Minute).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			select {
			case c.in <- m:
			default:
				c.lost.Add(1)
			}
		})
	c.Client = paho.NewClient(o)
	if err := finished(c.Connect()); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", broker, err)
	}
	for _, f := range filters {
		if err := finished(c.Subscribe(f, 0, nil)); err != nil {
			c.Disconnect(0)
			return nil, fmt.Errorf("subscribe to %s: %w", f, err)
		}
	}
	return c, nil
}

func finished(t paho.Token) error {
	if !t.WaitTimeout(brokerTime) {
		return fmt.Errorf("no answer within %v", brokerTime)
	}
	return t.Error()
}

// next waits for a message.
func (c *client) next(ctx context.Context, limit time.Duration) (paho.Message, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case m := <-c.in:
		return m, nil
	case <-late.C:
		return nil, fmt.Errorf("no message within %v", limit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// loop publishes one message after the other on a topic, each when the answer to the one before came, until next says no,
// and gives the times from the one to the other. Another answer, or one that tells of an error, is an error.
func (c *client) loop(ctx context.Context, topic string, next func(i int) (payload []byte, ok bool)) (times, error) {
	var took times
	for i := 0; ; i++ {
		payload, ok := next(i)
		if !ok {
			return took, nil
		}
		start := time.Now()
		c.Publish(topic, 0, false, payload)
		m, err := c.next(ctx, roundTime)
		took = append(took, time.Since(start))
		if err == nil {
			err = answers(m.Payload(), strconv.Itoa(i))
		}
		if err != nil {
			return took, fmt.Errorf("message %d on %s: %w", i, topic, err)
		}
	}
}

func deviceTopic(name, rest string) string { return "$hw/events/device/default/" + name + "/" + rest }

// counted is a report of the counter, its event named by its number.
func counted(i int) []byte {
	return fmt.Appendf(nil, `{"event_id":"%d","timestamp":%d,"twin":{"count":{"actual":{"value":"%d"},"metadata":{"type":"int"}}}}`,
		i, time.Now().UnixMilli(), i)
}

// wished is a wish.
func wished(value string) []byte {
	return fmt.Appendf(nil, `{"event_id":"w","timestamp":%d,"twin":{"powerstatus":{"expected":{"value":"%s"},"metadata":{"type":"string"}}}}`,
		time.Now().UnixMilli(), value)
}

// result is the answer to a report or a wish.
type result struct {
	EventID string `json:"event_id"`
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
}

func resultOf(payload []byte) (result, error) {
	var r result
	if err := json.Unmarshal(payload, &r); err != nil {
		return r, err
	}
	if r.Code != 0 {
		return r, fmt.Errorf("answered %d: %s", r.Code, r.Reason)
	}
	return r, nil
}

// answers checks that a message is the good answer to the event.
func answers(payload []byte, event string) error {
	r, err := resultOf(payload)
	if err == nil && r.EventID != event {
		err = fmt.Errorf("answer to event %q, expected %q", r.EventID, event)
	}
	return err
}
