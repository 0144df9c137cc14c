package edgehub

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"twinbridge/internal/wire"
	"twinbridge/twin"
)

// house is a node with a lamp of its own, with every change on disk at once.
type house struct {
	*twin.Node
	now  twin.Now
	disk map[string]string
}

func newHouse(t testing.TB) *house {
	ids := 0
	n, err := twin.OpenNode(twin.NodeConfig{Name: "attic", FileID: "file", NewID: func() string { ids++; return fmt.Sprint("id", ids) }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{n, twin.Now{Mono: time.Second, Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, map[string]string{}}
	n.Start(h.now)
	err = n.Apply(h.now, nil, []twin.Device{{Name: lamp, Properties: []twin.Property{{Name: "power", Type: twin.Bool}, {Name: "text", Type: twin.String}}}})
	if err != nil {
		t.Fatal(err)
	}
	h.commit()
	return h
}

func (h *house) commit() {
	if b, ok := h.TakeBatch(true); ok {
		for _, r := range b.Records {
			h.disk[r.Key] = string(r.Data)
		}
		h.Committed(h.now, b, nil)
	}
}

func (h *house) LinkUp(m twin.HubHello) { h.Node.LinkUp(h.now, m); h.commit() }
func (h *house) Acked(rev uint64)       { h.Node.Acked(h.now, rev); h.commit() }
func (h *house) DefineCloud(d twin.Definition) error {
	defer h.commit()
	return h.Node.DefineCloud(h.now, d)
}
func (h *house) OfferCloud(c twin.CloudWish) { h.Node.OfferCloud(h.now, c); h.commit() }
func (h *house) all() string                 { return fmt.Sprint(h.disk, h.Session(), h.Rev(), h.Names()) }

// FuzzNodeSession lets a hub say anything, in each state of the session: lines are messages, or kinds with a body, which
// are numbered as they should be. Nothing panics, what is refused changed nothing, and what the node says can be read.
func FuzzNodeSession(f *testing.F) {
	const hi = `hello {"oldest":1,"newest":1,"hub":"H","session":"S"}` + "\n"
	for _, s := range []string{
		`{"n":1,"kind":"hello","body":{"oldest":1,"newest":1,"hub":"H","session":"S","store":"id1","rev":1,"opening":"id2"}}`,
		hi + `ack {"rev":1}`, hi + hi,
		hi + `define {"definitions":[{"device":{"name":"a/b","uid":"u","generation":1,"definer":"cloud","properties":[{"name":"p","type":"int","min":0}]},"retell":true}]}`,
		hi + `define {"definitions":[{"device":{"name":"a/b","uid":"u","generation":1,"definer":"cloud"},"model":{"name":"m","properties":[{"name":"p","type":"float"}]}}]}`,
		hi + `define {"definitions":[{"device":{"name":"default/lamp","uid":"id3","generation":9,"definer":"cloud"},"removed":true,"moved":true}]}`,
		hi + `offer {"wishes":[{"device":"default/lamp","uid":"id3","number":1,"id":"w","origin":"cloud","values":{"power":"b1","text":"sON"},"validFor":1000,"remaining":5,"guard":{"power":0},"seen":{"power":1},"seenStore":"id1","session":"S"}]}`,
		hi + `offer {"wishes":[{"device":"a/b","uid":"u","number":18446744073709551615,"id":"w","origin":"restore","values":{"p":""},"question":"house"}]}`,
		hi + `refused {"definitions":[{"name":"default/lamp","uid":"id3","generation":1,"reason":"no"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		h := newHouse(t)
		s := NewSession(h)
		number, heard := uint64(1), uint64(0)
		for line := range bytes.Lines(script) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if kind, body, ok := bytes.Cut(line, []byte(" ")); ok && len(kind) > 0 && kind[0] != '{' {
				line = fmt.Appendf(nil, `{"n":%d,"got":%d,"kind":%q,"body":%s}`, number, heard, kind, body)
			}
			before := h.all()
			if err := s.Take(line); err != nil {
				if !errors.Is(err, wire.ErrMessage) && !errors.Is(err, wire.ErrVersion) {
					t.Fatalf("another error: %v", err)
				}
				if got := h.all(); got != before {
					t.Fatalf("%s was refused by %v and changed\n%s\nto\n%s", line, err, before, got)
				}
				break
			}
			if m, err := wire.Decode(line); err == nil && m.N != 0 {
				number = m.N + 1
			}
			for {
				b, ok, err := s.Next()
				if err != nil {
					t.Fatalf("the node cannot say what it has to say: %v", err)
				}
				if !ok {
					break
				}
				m, err := wire.Decode(b)
				if err != nil {
					t.Fatalf("the node says what nobody can read: %v\n%s", err, b)
				}
				heard = max(heard, m.N)
			}
		}
		var records []twin.Record
		for k, v := range h.disk {
			if v != "" {
				records = append(records, twin.Record{Key: k, Data: []byte(v)})
			}
		}
		if _, err := twin.OpenNode(twin.NodeConfig{Name: "attic", FileID: "file", NewID: func() string { return "again" }}, records); err != nil {
			t.Fatalf("what is on the disk now cannot be opened: %v", err)
		}
	})
}
