package eventbus

import (
	"context"
	"errors"
	"time"

	"twinbridge/edge/eventbus/topic"
	"twinbridge/twin"
)

// maxAnswers is how many wishes may wait for the disk; beyond it their askers are read more slowly.
const maxAnswers = 1024

// watch tells of what changes in the store, from whatever side, until ctx ends.
func (p *protocol) watch(ctx context.Context) {
	w := p.store.Watch()
	defer w.Close()
	gap := time.NewTimer(deltaGap)
	gap.Stop()
	defer gap.Stop()
	var over <-chan time.Time // nil: no delta waits
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.hurry:
			if over == nil {
				gap.Reset(deltaGap)
				over = gap.C
			}
		case <-over:
			over = nil
			p.slowDown(ctx)
		case <-w.C():
			p.round(ctx, w.Take())
		case <-p.again:
			p.repair(ctx)
		}
	}
}

// round tells of devices that changed: which came and went first, so that a mapper knows a device before its delta.
func (p *protocol) round(ctx context.Context, names []twin.Name) {
	var added, removed []topic.Device
	present := make([]*device, 0, len(names))
	for _, n := range names {
		if p.waits(n) {
			continue
		}
		def, err := p.store.Definition(n)
		if err != nil {
			if p.dropDevice(n) {
				removed = append(removed, topic.Device{ID: n})
			}
			continue
		}
		d := p.find(n)
		present = append(present, d)
		if d.announced == def {
			continue
		}
		if v, err := p.store.Device(n); err == nil { // else it went just now, and the watch tells of it
			d.announced = v.Device
			added = append(added, d.member(&v, p.millis()))
		}
	}
	p.membership(ctx, added, removed)
	for _, d := range present {
		p.look(d, "")
		p.out.pause(ctx)
	}
}

// dropDevice forgets a device that is no more; false if the mappers were not told of it.
func (p *protocol) dropDevice(n twin.Name) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[n]
	delete(p.devices, n)
	return d != nil && d.announced != nil
}

// retell takes note of the topics of messages that found no room with a reader that has caught up. What they said is told
// again as it is now: the messages of the twins are states, so the present one makes up for those before it. Answers
// are not told again.
func (p *protocol) retell(topics map[string]bool) {
	if len(topics) == 0 {
		return
	}
	p.mu.Lock()
	for name := range topics {
		t, err := topic.Parse(name)
		if err != nil {
			continue // an answer to somebody who named no device
		}
		switch t.Kind {
		case topic.TwinDelta, topic.TwinDocument:
			p.lost[t.Device] = true
		case topic.MembershipUpdated:
			p.anew = true
		default:
		}
	}
	p.mu.Unlock()
	select {
	case p.again <- struct{}{}:
	default:
	}
}

// repair tells again what some reader missed.
func (p *protocol) repair(ctx context.Context) {
	p.mu.Lock()
	lost, anew := p.lost, p.anew
	p.lost, p.anew = map[twin.Name]bool{}, false
	p.mu.Unlock()
	if anew {
		p.membership(ctx, nil, p.remembered())
		names := p.store.Devices()
		for _, n := range names {
			p.find(n).announced = nil
		}
		p.round(ctx, names)
	}
	for n := range lost {
		d := p.find(n)
		d.mu.Lock()
		d.props, d.offerSeq = nil, 0
		d.mu.Unlock()
		p.look(d, "")
		p.out.pause(ctx)
	}
}

// answer is the result of a wish that waits for the disk.
type answer struct {
	to     topic.Topic
	rev    uint64
	result topic.Result
	err    error // what was wrong with the report of the same message
}

// answerLater leaves an answer to answerWishes. If too many wait for the disk, who asked is read more slowly; where all
// come over one connection, which must not wait for one, it is answered as it stands.
func (p *protocol) answerLater(ctx context.Context, a *answer) {
	if p.crew == nil {
		select {
		case p.answers <- *a:
		case <-ctx.Done():
		}
		return
	}
	select {
	case p.answers <- *a:
	default:
		p.finish(a, errors.New("the disk is slow"))
	}
}

// answerWishes answers wishes in the order of their acceptance. Revs count up over all devices, so nobody waits for
// another one's commit.
func (p *protocol) answerWishes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-p.answers:
			err := p.store.WaitDurable(ctx, a.rev)
			if ctx.Err() != nil {
				return
			}
			p.finish(&a, err)
		}
	}
}

// finish answers a wish; err is why it is not on disk.
func (p *protocol) finish(a *answer, err error) {
	r := a.result
	switch {
	case err != nil:
		r.Code, r.Reason = topic.CodeFault, "the wish works, but may be forgotten at a restart: "+err.Error()
	case a.err != nil:
		r.Code, r.Reason = topic.CodeBad, clip(a.err.Error(), maxAnswerReason)
	}
	if r.Code != 0 {
		p.stats.refusal(r.Code)
	}
	p.out.publish(a.to.String(), r.Encode())
}
