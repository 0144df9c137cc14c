package topic

import (
	"fmt"
	"strings"

	"twinbridge/twin"
)

// Codes of an answer; a success carries none.
const (
	CodeBad      = 400
	CodeNotFound = 404
	CodeFault    = 500
)

// Request asks for something that the topic names: the twin of a device, the members of a node.
type Request struct {
	EventID   string
	Timestamp int64 // ms since 1970; 0: not said
}

// Update is what a client says of a device's properties: a report of actual values, a wish for expected ones.
type Update struct {
	EventID   string
	Timestamp int64
	Twins     []Twin // in the order of the message; at least one
	Mapper    string // who says it, as in [Lost]; "" of clients that do not name themselves
}

// Result answers an [Update] with what was taken of it, and a TwinGet with the whole twin.
type Result struct {
	EventID   string
	Timestamp int64
	Code      int // 0: success
	Reason    string
	Twins     []Twin
}

// Change is one property of a [Document].
type Change struct {
	Name          string
	Last, Current *Twin // nil: the property was not known before, is not known any more
}

// Document tells which properties changed, before and after.
type Document struct {
	EventID   string
	Timestamp int64
	Changes   []Change
}

// Wanted is one property that the device is asked to take.
type Wanted struct {
	Name  string
	Value string
}

// Delta hands over what is pending. Twins holds every property with an expected value, Wanted those that the device has
// to take now, equal to its actual value or not (rule 5).
type Delta struct {
	EventID   string
	Timestamp int64
	Twins     []Twin
	Wanted    []Wanted
}

// Find gives the property of that name, nil if the delta has none.
func (d *Delta) Find(name string) *Twin {
	for i := range d.Twins {
		if d.Twins[i].Name == name {
			return &d.Twins[i]
		}
	}
	return nil
}

// State is a mapper's word about a device: online, ok, offline, disconnected, unhealthy, error, unknown.
type State struct {
	EventID   string
	Timestamp int64
	State     string
	Mapper    string // as in [Update]
}

// StateResult answers a [State].
type StateResult struct {
	EventID    string
	Timestamp  int64
	Code       int // 0: success, and the rest is set
	Reason     string
	Name       string // without namespace, as KubeEdge has it
	State      string
	LastOnline string // RFC 3339; "" if it never was
}

// base reads what all messages carry; ok tells that key was one of it.
func (r *reader) base(key string, event *string, timestamp *int64) (ok bool, err error) {
	switch key {
	case "event_id":
		*event, _, err = r.optional("a string")
		if err == nil && len(*event) > MaxEventID {
			err = &twin.FieldError{Field: "event_id", Value: clip(*event), Want: fmt.Sprintf("at most %d bytes", MaxEventID)}
			*event = ""
		}
		return true, err
	case "timestamp":
		*timestamp, err = r.millis()
		return true, err
	}
	return false, nil
}

// MaxMapper bounds the id by which a mapper names itself, in bytes.
const MaxMapper = 64

// mapper reads the metadata of a message as a whole: the mapper that names itself in it. Another key is skipped.
func (r *reader) mapper(key string, to *string) error {
	if key != "metadata" || r.peek() != '{' {
		return r.skip()
	}
	return r.object(func(key string) (err error) {
		if key != "mapper" {
			return r.skip()
		}
		*to, _, err = r.optional("a string")
		if err == nil && (len(*to) > MaxMapper || strings.ContainsAny(*to, "/+#")) {
			err = &twin.FieldError{Field: "metadata.mapper", Value: clip(*to), Want: fmt.Sprintf("at most %d bytes without '/', '+' or '#'", MaxMapper)}
			*to = ""
		}
		return err
	})
}

// mapper writes the metadata of a message as a whole.
func (w *writer) mapper(id string) {
	if id == "" {
		return
	}
	w.raw(`,"metadata":{"mapper":`)
	w.str(id)
	w.raw("}")
}

// failure reads what an answer that is none carries.
func (r *reader) failure(key string, code *int, reason *string) (ok bool, err error) {
	switch key {
	case "code":
		var n int64
		n, err = r.whole()
		*code = int(n)
		return true, err
	case "reason":
		*reason, _, err = r.optional("a string")
		return true, err
	}
	return false, nil
}

// DecodeRequest reads a [Request]. An empty payload is one too, as people send it by hand. With an error, EventID holds
// the event id if it could be found.
func DecodeRequest(b []byte) (m Request, err error) {
	if len(b) == 0 {
		return m, nil
	}
	err = decode(b, func(r *reader, key string) error {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		return r.skip()
	})
	if err != nil && m.EventID == "" {
		m.EventID = Event(b)
	}
	return m, err
}

// Encode gives the payload.
func (m *Request) Encode() []byte {
	w := writer{make([]byte, 0, 64)}
	w.head(m.EventID, m.Timestamp)
	w.raw("}")
	return w.b
}

// DecodeUpdate reads an [Update]. With an error, EventID holds the event id if it could be found.
func DecodeUpdate(b []byte) (m Update, err error) {
	err = decode(b, func(r *reader, key string) (err error) {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		if key == "twin" {
			m.Twins, err = r.twins()
			return err
		}
		return r.mapper(key, &m.Mapper)
	})
	if err == nil && len(m.Twins) == 0 {
		err = &twin.FieldError{Field: "twin", Want: "an object with at least one property"}
	}
	if err != nil && m.EventID == "" {
		m.EventID = Event(b)
	}
	return m, err
}

// Encode gives the payload.
func (m *Update) Encode() []byte {
	w := writer{make([]byte, 0, 128+128*len(m.Twins))}
	w.head(m.EventID, m.Timestamp)
	w.raw(`,"twin":`)
	w.twins(m.Twins)
	w.mapper(m.Mapper)
	w.raw("}")
	return w.b
}

// DecodeResult reads a [Result].
func DecodeResult(b []byte) (m Result, err error) {
	err = decode(b, func(r *reader, key string) (err error) {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		if ok, err := r.failure(key, &m.Code, &m.Reason); ok {
			return err
		}
		if key == "twin" && r.peek() == '{' {
			m.Twins, err = r.twins()
			return err
		}
		return r.skip()
	})
	return m, err
}

// Encode gives the payload.
func (m *Result) Encode() []byte {
	w := writer{make([]byte, 0, 128+192*len(m.Twins))}
	w.head(m.EventID, m.Timestamp)
	if m.Code != 0 {
		w.failure(m.Code, m.Reason)
	} else {
		w.raw(`,"twin":`)
		w.twins(m.Twins)
	}
	w.raw("}")
	return w.b
}

func (w *writer) failure(code int, reason string) {
	w.raw(`,"code":`)
	w.num(int64(code))
	w.raw(`,"reason":`)
	w.str(reason)
}
