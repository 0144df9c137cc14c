package wire

import "fmt"

const (
	// Window is how many messages may be on their way in a direction, not yet known to have come.
	Window = 64
	// ackEvery is after how many messages the other end is told that they have come, if nothing else is said to it.
	ackEvery = 16
)

// Flow numbers the messages of one end and keeps them within the window. The zero value is a new session.
type Flow struct {
	sent uint64 // number of the last message that was sent
	came uint64 // of the last of ours that the other end has
	got  uint64 // of the last of the other end's that came
	told uint64 // up to which the other end knows that
}

// Room reports whether another message may be sent.
func (f *Flow) Room() bool { return f.sent-f.came < Window }

// Take looks at a message that came: at its number and at what it says of ours.
func (f *Flow) Take(m Message) error {
	if m.Got > f.sent || m.Got < f.came {
		return fmt.Errorf("%w acknowledges %d: expected %d to %d", ErrMessage, m.Got, f.came, f.sent)
	}
	f.came = m.Got
	if m.N == 0 {
		return nil
	}
	if m.N != f.got+1 {
		return fmt.Errorf("%w has number %d: expected %d", ErrMessage, m.N, f.got+1)
	}
	f.got++
	return nil
}

// Send encodes a body into the messages that it needs. They are counted as sent, also beyond the window: a body goes
// whole.
func (f *Flow) Send(body Body) ([][]byte, error) {
	out, err := Parts(f.sent+1, f.got, body)
	if err != nil {
		return nil, err
	}
	f.sent += uint64(len(out))
	f.told = f.got
	return out, nil
}

// Acknowledge gives a message that only says what has come, if the other end should know.
func (f *Flow) Acknowledge() ([]byte, bool) {
	if f.got-f.told < ackEvery {
		return nil, false
	}
	b, err := Encode(Message{Got: f.got, Body: &Got{}})
	if err != nil {
		return nil, false // nothing in it can fail
	}
	f.told = f.got
	return b, true
}
