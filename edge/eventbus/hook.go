package eventbus

import (
	"context"
	"errors"
	"strings"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is where the broker library and the protocol meet.
type hook struct {
	mqtt.HookBase
	ctx      context.Context // the library's callbacks are given none; it ends what waits in them
	broker   *broker
	protocol *protocol
	allow    func(user string, password []byte) bool
	stats    *counters
}

// ID names the hook in the library's log.
func (h *hook) ID() string { return "twinbridge" }

// Provides tells which of the library's events are listened to.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnConnect, mqtt.OnSessionEstablished, mqtt.OnDisconnect,
		mqtt.OnPacketEncode, mqtt.OnPacketProcessed, mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnPublish, mqtt.OnPublished,
		mqtt.OnPublishDropped, mqtt.OnWillSent, mqtt.OnClientExpired:
		return true
	}
	return false
}

// linkOf gives the connection of a client, nil for ourselves.
func linkOf(cl *mqtt.Client) *link {
	l, ok := cl.Net.Conn.(*link)
	if !ok {
		return nil
	}
	return l
}

// OnConnectAuthenticate lets a client in, or not.
func (h *hook) OnConnectAuthenticate(_ *mqtt.Client, pk packets.Packet) bool {
	if h.allow == nil || h.allow(string(pk.Connect.Username), pk.Connect.Password) {
		return true
	}
	h.stats.denied.Add(1)
	return false
}

// OnConnect sees a client before it is let in.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	// Sessions are kept for clients that come back, but not for any number of names.
	keeps := !pk.Connect.Clean || cl.Properties.Props.SessionExpiryInterval > 0
	if _, known := h.broker.server.Clients.Get(cl.ID); keeps && !known && h.broker.sessionsFull() {
		h.broker.log.Warn("MQTT client refused: too many sessions are kept", "client", clip(cl.ID, maxAsker))
		return packets.ErrServerBusy
	}
	if w := &cl.Properties.Will; w.Flag != 0 {
		// The library asks nobody whether a will may be published, and delays it beyond the end of a session. What a
		// mapper's will says is true at once.
		switch {
		case ours(w.TopicName):
			h.broker.log.Warn("will of an MQTT client ignored: only the edge speaks on this topic", "client", clip(cl.ID, maxAsker), "topic", clip(w.TopicName, maxReason))
			*w = mqtt.Will{}
		case momentary(w.TopicName):
			w.Retain, w.WillDelayInterval = false, 0
		case strings.HasPrefix(w.TopicName, mqtt.SysPrefix):
			*w = mqtt.Will{}
		}
	}
	if l := linkOf(cl); l != nil {
		l.old.Store(cl.Properties.ProtocolVersion < 5)
	}
	cl.Properties.Props.TopicAliasMaximum = 0 // our messages are known by their topics all the way out
	return nil
}

// OnSessionEstablished knows the client by name from here on. One that found its old subscriptions is offered what they
// are about.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	l := linkOf(cl)
	if l == nil {
		return
	}
	l.peer.client = clip(cl.ID, maxAsker)
	h.stats.clients.Add(1)
	if kept := cl.State.Subscriptions.GetAll(); len(kept) > 0 {
		filters := make([]string, 0, len(kept))
		for f := range kept {
			filters = append(filters, f)
		}
		h.protocol.subscribed(filters)
	}
}

// OnDisconnect tells a clean goodbye from anything else.
func (h *hook) OnDisconnect(cl *mqtt.Client, _ error, _ bool) {
	l := linkOf(cl)
	if l == nil {
		return
	}
	h.stats.clients.Add(-1)
	h.broker.forget(l)
	if h.ctx.Err() != nil {
		return // the node leaves, not its mappers
	}
	// The error alone does not tell: a connection that is taken over while a packet is being handled ends without one.
	h.protocol.ended(&l.peer, errors.Is(cl.StopCause(), packets.CodeDisconnect))
}

// OnClientExpired ends a session whose client did not come back; the library would keep its subscriptions.
func (h *hook) OnClientExpired(cl *mqtt.Client) {
	h.broker.server.UnsubscribeClient(cl)
	cl.ClearInflights()
}

// OnACLCheck is asked for each subscription, for each message of a client, and for each message to a client. Who may
// publish what is decided in OnPublish, where aliases are resolved.
func (h *hook) OnACLCheck(cl *mqtt.Client, name string, write bool) bool {
	if write || !ours(name) {
		return true
	}
	if l := linkOf(cl); l != nil {
		l.queued()
		if l.crowded() {
			h.broker.crowd(l)
		}
	}
	return true
}

// OnPacketEncode sees each packet leave the queue of its client.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Publish && ours(pk.TopicName) {
		if l := linkOf(cl); l != nil {
			h.protocol.retell(l.sent())
		}
	}
	return pk
}

// OnPublishDropped sees a message that found no room in the queue of a client.
func (h *hook) OnPublishDropped(cl *mqtt.Client, pk packets.Packet) {
	h.stats.dropped.Add(1)
	if l := linkOf(cl); l != nil && ours(pk.TopicName) && l.miss(pk.TopicName) {
		h.broker.log.Warn("an MQTT client reads too slowly; it is told the present state when it has caught up", "client", clip(cl.ID, maxAsker))
	}
}

// OnSubscribe bounds the subscriptions of one client.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if cl.State.Subscriptions.Len()+len(pk.Filters) > maxFilters {
		h.broker.log.Warn("MQTT client disconnected: too many subscriptions", "client", clip(cl.ID, maxAsker), "most", maxFilters)
		cl.Stop(packets.ErrQuotaExceeded)
	}
	return pk
}

// OnSubscribed takes back what OnACLCheck counted for the filters themselves.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	l := linkOf(cl)
	if l == nil {
		return
	}
	for i, f := range pk.Filters {
		if i < len(codes) && codes[i] < packets.ErrUnspecifiedError.Code && ours(f.Filter) {
			h.protocol.retell(l.sent())
		}
	}
}

// OnPacketProcessed comes after the SUBACK was written: what is offered now reaches a client that expects it.
func (h *hook) OnPacketProcessed(_ *mqtt.Client, pk packets.Packet, err error) {
	if pk.FixedHeader.Type != packets.Subscribe || err != nil {
		return
	}
	filters := make([]string, len(pk.Filters))
	for i := range pk.Filters {
		filters[i] = pk.Filters[i].Filter
	}
	h.protocol.subscribed(filters)
}

// OnPublish sees what a client publishes, before anybody else does.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	l := linkOf(cl)
	if l == nil {
		return pk, nil // our own
	}
	if ours(pk.TopicName) {
		// Nobody but the edge says what was decided, and nobody but the edge moves a device by a delta.
		h.stats.refused.Add(1)
		return pk, packets.CodeSuccessIgnore
	}
	if momentary(pk.TopicName) {
		pk.FixedHeader.Retain = false
	} else if pk.FixedHeader.Retain && len(pk.Payload) > 0 && h.broker.server.Topics.Retained.Len() >= maxRetained {
		h.broker.log.Warn("MQTT message not retained: too many are", "topic", clip(pk.TopicName, maxReason), "most", maxRetained)
		pk.FixedHeader.Retain = false
	}
	if pk.FixedHeader.Qos > 0 {
		h.take(l, pk) // before the acknowledgement: what is acknowledged has been taken
	}
	return pk, nil
}

// OnPublished comes when other clients have been sent the message, so that who looks on sees the answer after the
// question.
func (h *hook) OnPublished(cl *mqtt.Client, pk packets.Packet) {
	if l := linkOf(cl); l != nil && !pk.Ignore && pk.FixedHeader.Qos == 0 {
		h.take(l, pk)
	}
}

// take hands a message to the protocol, in the goroutine that reads the connection. A client that does not read its
// answers is read more slowly.
func (h *hook) take(l *link, pk packets.Packet) {
	l.waitOwn(h.ctx)
	h.protocol.handle(h.ctx, &l.peer, pk.TopicName, pk.Payload)
}

// OnWillSent takes a will as the last word of its connection.
func (h *hook) OnWillSent(cl *mqtt.Client, pk packets.Packet) {
	if l := linkOf(cl); l != nil {
		h.protocol.handle(h.ctx, &l.peer, pk.TopicName, pk.Payload)
	}
}

// momentary reports whether what is said on a topic means the moment at which it is said: kept and handed out later, it
// would move things.
func momentary(name string) bool {
	return strings.HasPrefix(name, "$hw/") || strings.HasPrefix(name, "$twinbridge/")
}

// ours reports whether only the edge publishes on a topic, by a look at its ends.
func ours(name string) bool {
	if !strings.HasPrefix(name, "$hw/events/") {
		return false
	}
	for _, end := range [...]string{"/result", "/delta", "/document", "/updated"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
