package eventbus

import (
	"hash/maphash"
)

// maxTwice is how many messages back a repetition is recognised; a broker has no more than 65535 unacknowledged, and
// Mosquitto by default 20.
const maxTwice = 256

// twice recognises messages that a broker delivers a second time on one connection (the flag DUP). The flag alone does
// not tell: some brokers hand on the flag of whoever published, of a message that comes here for the first time. A
// repetition has the packet id and the content of a message before. Taken again it could undo what was wished since.
type twice struct {
	seed maphash.Seed
	last map[uint16]uint64 // by packet id
	ring [maxTwice]uint16  // packet ids, the oldest at next
	next int
	full bool
}

func newTwice() *twice { return &twice{seed: maphash.MakeSeed(), last: map[uint16]uint64{}} }

// seen notes a message with a packet id, and reports whether it is the repetition of one before.
func (t *twice) seen(id uint16, dup bool, topic string, payload []byte) bool {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.WriteString(topic) // it never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(payload)
	sum := h.Sum64()
	before, known := t.last[id]
	if known {
		t.last[id] = sum
		return dup && before == sum
	}
	if t.full {
		delete(t.last, t.ring[t.next])
	}
	t.ring[t.next] = id
	if t.next++; t.next == maxTwice {
		t.next, t.full = 0, true
	}
	t.last[id] = sum
	return false
}
