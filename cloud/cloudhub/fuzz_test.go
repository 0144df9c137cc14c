package cloudhub

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"twinbridge/internal/wire"
)

// FuzzHubSession lets a node say anything, in each state of the session: lines are messages, or kinds with a body, which
// are numbered as they should be. Nothing panics, what is refused changed nothing, another node never changes, and
// whatever the hub says can be read.
func FuzzHubSession(f *testing.F) {
	for kind := range map[string]bool{wire.KindDecisions: true, wire.KindObservations: true, wire.KindRefused: true, wire.KindAnswer: true} {
		for _, body := range lies(newTown(f))[kind] {
			b, _ := wire.Encode(wire.Message{N: 1, Body: body})
			var inner []byte
			_, after, _ := bytes.Cut(b, []byte(`"body":`))
			inner = after[:len(after)-1]
			f.Add(byte(0), []byte(kind+" "+string(inner)))
			f.Add(byte(1), []byte("answer {\"version\":1,\"store\":\"B\"}\n"+kind+" "+string(inner)))
		}
	}
	f.Add(byte(2), []byte(`{"n":1,"kind":"answer","body":{"version":1,"store":"B"}}`))
	f.Fuzz(func(t *testing.T, state byte, script []byte) {
		w := newTown(t)
		if state%3 != 0 {
			w.bad = NewSession("barn", townTwins{w})
			w.barn = &peer{t: t, s: w.bad}
		}
		if state%3 == 1 {
			w.barn.hear()
		}
		n, attic := w.barn.heard, w.state()
		number := uint64(1)
		if state%3 == 0 {
			number = 3
		}
		for line := range bytes.Lines(script) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if kind, body, ok := bytes.Cut(line, []byte(" ")); ok && len(kind) > 0 && kind[0] != '{' {
				line = fmt.Appendf(nil, `{"n":%d,"got":%d,"kind":%q,"body":%s}`, number, n, kind, body)
			}
			before := w.all()
			err := w.bad.Take(line)
			if err != nil {
				if !errors.Is(err, wire.ErrMessage) && !errors.Is(err, wire.ErrVersion) {
					t.Fatalf("another error: %v", err)
				}
				if got := w.all(); got != before {
					t.Fatalf("%s was refused by %v and changed\n%s\nto\n%s", line, err, before, got)
				}
				break
			}
			if m, err := wire.Decode(line); err == nil && m.N != 0 {
				number = m.N + 1
			}
			for {
				b, ok, err := w.bad.Next()
				if err != nil {
					t.Fatalf("the hub cannot say what it has to say: %v", err)
				}
				if !ok {
					break
				}
				m, err := wire.Decode(b)
				if err != nil {
					t.Fatalf("the hub says what nobody can read: %v\n%s", err, b)
				}
				n = max(n, m.N)
			}
		}
		if got := w.state(); got != attic {
			t.Fatalf("attic changed from\n%s\nto\n%s", attic, got)
		}
	})
}

// all is everything on disk, and the session.
func (t *town) all() string {
	t.commit()
	return fmt.Sprint(t.disk, t.bad.ID(), t.hub.Current("barn", t.bad.ID()))
}
