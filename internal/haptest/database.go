package haptest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Database is what GET /accessories tells (HAP 6.6).
type Database struct {
	Accessories []struct {
		AID      uint64
		Services []Service
	}
}

// Service is a service of an accessory.
type Service struct {
	IID             uint64
	Type            string
	Hidden, Primary bool
	Linked          []uint64
	Characteristics []Characteristic
}

// Characteristic is an entry of the database, or of an answer to a read or a write.
type Characteristic struct {
	AID    uint64
	IID    uint64
	Type   string
	Format string
	Perms  []string
	Value  json.RawMessage
	Status *int
	EV     *bool

	MinValue, MaxValue, MinStep *float64
	MaxLen                      *int
	Unit                        string
}

// ID names a characteristic of an accessory.
type ID struct{ AID, IID uint64 }

func (id ID) String() string { return fmt.Sprintf("%d.%d", id.AID, id.IID) }

// Find gives the characteristics of a type, such as "25" for On, in the order of the database.
func (d *Database) Find(typ string) []ID {
	var out []ID
	for i := range d.Accessories {
		for _, s := range d.Accessories[i].Services {
			for j := range s.Characteristics {
				if Short(s.Characteristics[j].Type) == typ {
					out = append(out, ID{d.Accessories[i].AID, s.Characteristics[j].IID})
				}
			}
		}
	}
	return out
}

// Short gives a type as Apple's table has it: 25 for 00000025-0000-1000-8000-0026BB765291 (HAP 6.6.1).
func Short(typ string) string {
	typ = strings.ToUpper(typ)
	typ = strings.TrimSuffix(typ, "-0000-1000-8000-0026BB765291")
	if short := strings.TrimLeft(typ, "0"); short != "" {
		return short
	}
	return typ
}

// Accessories reads the database.
func (c *Conn) Accessories(ctx context.Context) (*Database, error) {
	m, err := c.Do(ctx, http.MethodGet, "/accessories", nil)
	if err != nil {
		return nil, err
	}
	if m.Status != http.StatusOK {
		return nil, &StatusError{m.Status, m.Body}
	}
	d := new(Database)
	if err := json.Unmarshal(m.Body, d); err != nil {
		return nil, fmt.Errorf("read the database: %w", err)
	}
	return d, nil
}

// PathOf gives the path that reads characteristics; flags are such as "meta=1".
func PathOf(ids []ID, flags ...string) string {
	var b strings.Builder
	b.WriteString("/characteristics?id=")
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	for _, f := range flags {
		b.WriteString("&" + f)
	}
	return b.String()
}

// Get reads characteristics; a 207 is told by the status of each.
func (c *Conn) Get(ctx context.Context, ids []ID, flags ...string) ([]Characteristic, error) {
	m, err := c.Do(ctx, http.MethodGet, PathOf(ids, flags...), nil)
	if err != nil {
		return nil, err
	}
	if m.Status != http.StatusOK && m.Status != http.StatusMultiStatus {
		return nil, &StatusError{m.Status, m.Body}
	}
	return m.Characteristics()
}

// Characteristics reads the body of a message as what reads, writes and events have in it.
func (m *Message) Characteristics() ([]Characteristic, error) {
	var body struct{ Characteristics []Characteristic }
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return nil, fmt.Errorf("read characteristics: %w", err)
	}
	return body.Characteristics, nil
}

// Write is one entry of a PUT (HAP 6.7.2). Value is JSON.
type Write struct {
	AID    uint64          `json:"aid"`
	IID    uint64          `json:"iid"`
	Value  json.RawMessage `json:"value,omitempty"`
	Event  *bool           `json:"ev,omitempty"`
	Answer *bool           `json:"r,omitempty"`
}

// Set is a write of a value in JSON, such as true or 50.
func Set(id ID, value string) Write {
	return Write{AID: id.AID, IID: id.IID, Value: json.RawMessage(value)}
}

// Watch is a write that subscribes to events, or ends that.
func Watch(id ID, on bool) Write { return Write{AID: id.AID, IID: id.IID, Event: &on} }

// PutBody gives the body of a PUT; pid is that of a prepared write, 0 for none.
func PutBody(pid uint64, writes ...Write) ([]byte, error) {
	return json.Marshal(struct {
		Characteristics []Write `json:"characteristics"`
		PID             uint64  `json:"pid,omitempty"`
	}{writes, pid})
}

// Put writes. The list is empty if all went well and no value was asked for.
func (c *Conn) Put(ctx context.Context, writes ...Write) ([]Characteristic, error) {
	body, err := PutBody(0, writes...)
	if err != nil {
		return nil, err
	}
	m, err := c.Do(ctx, http.MethodPut, "/characteristics", body)
	if err != nil {
		return nil, err
	}
	switch m.Status {
	case http.StatusNoContent:
		return nil, nil
	case http.StatusOK, http.StatusMultiStatus:
		return m.Characteristics()
	}
	return nil, &StatusError{m.Status, m.Body}
}

// Subscribe asks for the events of characteristics on this connection. One that is refused is an error.
func (c *Conn) Subscribe(ctx context.Context, ids ...ID) error {
	writes := make([]Write, len(ids))
	for i, id := range ids {
		writes[i] = Watch(id, true)
	}
	answer, err := c.Put(ctx, writes...)
	if err != nil {
		return err
	}
	for i := range answer {
		if s := answer[i].Status; s != nil && *s != 0 {
			return fmt.Errorf("subscribe to %d.%d: status %d", answer[i].AID, answer[i].IID, *s)
		}
	}
	return nil
}
