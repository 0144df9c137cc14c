package eventbus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// publisher takes messages to those who subscribed: the embedded broker, or another one.
type publisher interface {
	// publish sends a message, at most once and not retained. It does not block, and keeps the order of its calls.
	publish(topic string, payload []byte)
	// wanted reports whether a message on the topic would reach anybody.
	wanted(topic string) bool
	// pause waits for readers that have much to read, within a bound.
	pause(ctx context.Context)
}

// peer is who a message came from.
type peer struct {
	id     string // of the connection, used once
	client string // what the client calls itself
	gone   atomic.Bool
}

// protocol takes what mappers and other MQTT clients say, and tells them of the twins.
type protocol struct {
	store *twin.Store
	out   publisher
	log   *slog.Logger
	stats *counters
	now   func() time.Time

	answers chan answer // of wishes, until they are durable
	crew    *crew       // nil where the broker shows who publishes and who subscribes

	mu      sync.Mutex
	devices map[twin.Name]*device // devices that were told of
	lost    map[twin.Name]bool    // devices that are to be told again
	anew    bool                  // all of them are to be announced again
	again   chan struct{}         // a token when one of these was set
	hurried map[twin.Name]bool    // devices whose delta follows another one too closely
	hurry   chan struct{}         // a token when one came among them
}

// device is what was told of a device. Its lock is held while something about the device is taken or told.
type device struct {
	name      twin.Name
	document  []string // topics, in both shapes if there are two
	delta     []string
	announced *twin.Resolved // the definition that the mappers were told; guarded by the watch's goroutine alone

	mu       sync.Mutex
	uid      string
	owner    *peer // who last reported or said a state (rule 5)
	offerSeq uint64
	props    []known
	wish     string    // whose value stood in the last delta
	handedAt time.Time // when that was
}

func newProtocol(store *twin.Store, out publisher, stats *counters, log *slog.Logger) *protocol {
	return &protocol{
		store: store, out: out, log: log, stats: stats, now: time.Now,
		answers: make(chan answer, maxAnswers),
		devices: map[twin.Name]*device{}, lost: map[twin.Name]bool{}, again: make(chan struct{}, 1),
		hurried: map[twin.Name]bool{}, hurry: make(chan struct{}, 1),
	}
}

// run tells of what changes, and answers wishes when they are durable, until ctx ends.
func (p *protocol) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { p.watch(ctx) })
	wg.Go(func() { p.answerWishes(ctx) })
	wg.Wait()
}

// handle takes one message. It returns when the message has been taken and, save for the result of a wish, answered.
// Once ctx has ended the node is leaving, and nothing that is said on the way out counts.
func (p *protocol) handle(ctx context.Context, from *peer, name string, payload []byte) {
	t, err := topic.Parse(name)
	if errors.Is(err, topic.ErrOther) || ctx.Err() != nil {
		return
	}
	p.stats.messages.Add(1)
	if err != nil {
		p.refuse(t, topic.Event(payload), topic.CodeBad, err)
		return
	}
	switch t.Kind {
	case topic.TwinUpdate:
		p.update(ctx, from, t, payload)
	case topic.TwinGet:
		p.get(t, payload)
	case topic.StateUpdate:
		p.state(from, t, payload)
	case topic.MembershipGet:
		p.members(ctx, t, payload)
	case topic.MapperLost:
		// Whose will it is the connection tells; the mapper's id is for brokers that do not show their connections.
		p.mapperLost(from, t.Node)
	default:
		// What only the edge says, KubeEdge's inner sync, and time series, which are for others.
	}
}

// ended takes the end of a connection: after a clean goodbye its devices have no owner, else they are offline (rule 5).
func (p *protocol) ended(from *peer, clean bool) {
	from.gone.Store(true)
	if clean {
		p.store.ConnClosed(from.id)
		return
	}
	p.store.ConnLost(from.id)
}

// subscribed hands out again what is pending for devices whose deltas somebody now listens to.
func (p *protocol) subscribed(filters []string) {
	var wild []string
	for _, f := range filters {
		f = withoutShare(f)
		if hasWildcard(f) {
			wild = append(wild, f)
			continue
		}
		if t, err := topic.Parse(f); err == nil && t.Kind == topic.TwinDelta {
			p.store.Offer(t.Device)
		}
	}
	if len(wild) == 0 {
		return
	}
	for _, n := range p.store.Devices() {
		t := topic.Of(topic.TwinDelta, n)
		alias, both := t.Alias()
		for _, f := range wild {
			if matches(f, t.String()) || both && matches(f, alias.String()) {
				p.store.Offer(n)
				break
			}
		}
	}
}

// find gives what was told of a device that exists.
func (p *protocol) find(n twin.Name) *device {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[n]
	if d == nil {
		d = &device{name: n, document: bothShapes(topic.TwinDocument, n), delta: bothShapes(topic.TwinDelta, n)}
		p.devices[n] = d
	}
	return d
}

func bothShapes(k topic.Kind, n twin.Name) []string {
	t := topic.Of(k, n)
	if alias, ok := t.Alias(); ok {
		return []string{t.String(), alias.String()}
	}
	return []string{t.String()}
}

// get answers with the whole twin, and hands out again what is pending.
func (p *protocol) get(t topic.Topic, payload []byte) {
	p.stats.gets.Add(1)
	m, err := topic.DecodeRequest(payload)
	if err != nil {
		p.refuse(t, m.EventID, topic.CodeBad, err)
		return
	}
	v, err := p.store.Device(t.Device)
	if err != nil {
		p.refuse(t, m.EventID, codeOf(err), err)
		return
	}
	d := p.find(t.Device)
	d.mu.Lock()
	r := topic.Result{EventID: m.EventID, Timestamp: p.millis(), Twins: make([]topic.Twin, 0, len(v.Props))}
	for i := range v.Props {
		r.Twins = append(r.Twins, d.twin(&v.Props[i], r.Timestamp))
	}
	p.out.publish(t.As(topic.TwinGetResult).String(), r.Encode())
	d.mu.Unlock()
	p.store.Offer(t.Device)
	p.look(d, "")
}

// state takes a mapper's word about a device.
func (p *protocol) state(from *peer, t topic.Topic, payload []byte) {
	p.stats.states.Add(1)
	m, err := topic.DecodeState(payload)
	if err != nil {
		p.refuse(t, m.EventID, topic.CodeBad, err)
		return
	}
	if _, err := p.store.Device(t.Device); err != nil {
		p.refuse(t, m.EventID, codeOf(err), err)
		return
	}
	from = p.speaker(from, m.Mapper)
	d := p.find(t.Device)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := p.store.SetState(t.Device, m.State, from.id); err != nil {
		p.refuse(t, m.EventID, codeOf(err), err)
		return
	}
	d.owner = from
	v, err := p.store.Device(t.Device)
	if err != nil {
		p.refuse(t, m.EventID, codeOf(err), err)
		return
	}
	r := topic.StateResult{EventID: p.event(m.EventID), Timestamp: p.millis(), Name: t.Device.Name, State: m.State}
	if !v.LastOnline.IsZero() {
		r.LastOnline = v.LastOnline.UTC().Format(time.RFC3339)
	}
	p.out.publish(t.As(topic.StateUpdateResult).String(), r.Encode())
	p.tell(d, &v, "")
}

// refuse answers a message that was not taken, on the topic of the one who sent it.
func (p *protocol) refuse(t topic.Topic, event string, code int, err error) {
	p.stats.refusal(code)
	reason := clip(err.Error(), maxAnswerReason)
	p.log.Debug("MQTT message refused", "topic", t.String(), "event", event, "code", code, "reason", reason)
	if code == topic.CodeNotFound && p.crew != nil {
		return // at a broker for many it may be another node's device, and that node answers
	}
	now := p.millis()
	switch t.Kind {
	case topic.TwinUpdate, topic.TwinGet:
		r := topic.Result{EventID: event, Timestamp: now, Code: code, Reason: reason}
		k := topic.TwinUpdateResult
		if t.Kind == topic.TwinGet {
			k = topic.TwinGetResult
		}
		p.out.publish(t.As(k).String(), r.Encode())
	case topic.StateUpdate:
		r := topic.StateResult{EventID: event, Timestamp: now, Code: code, Reason: reason}
		p.out.publish(t.As(topic.StateUpdateResult).String(), r.Encode())
	case topic.MembershipGet:
		r := topic.Members{EventID: event, Timestamp: now, Code: code, Reason: reason}
		p.publishMembers(t, &r)
	default:
	}
}

// codeOf gives the code of an error of the store.
func codeOf(err error) int {
	var refused *twin.RefusedError
	var field *twin.FieldError
	switch {
	case errors.Is(err, twin.ErrNotFound):
		return topic.CodeNotFound
	case errors.As(err, &refused), errors.As(err, &field):
		return topic.CodeBad
	}
	return topic.CodeFault
}

func (p *protocol) millis() int64 { return p.now().UnixMilli() }

// event gives the id of a message of ours: the one it answers, or a new one.
func (p *protocol) event(asked string) string {
	if asked != "" {
		return asked
	}
	return p.store.NewID()
}
