package topic

import "twinbridge/twin"

// Encode gives the payload.
func (m *Document) Encode() []byte {
	w := writer{make([]byte, 0, 128+384*len(m.Changes))}
	w.head(m.EventID, m.Timestamp)
	w.raw(`,"twin":{`)
	side := func(key string, t *Twin) {
		w.key(key)
		if t == nil {
			w.raw("null")
			return
		}
		w.twin(t)
	}
	for i := range m.Changes {
		w.key(m.Changes[i].Name)
		w.raw("{")
		side("last", m.Changes[i].Last)
		side("current", m.Changes[i].Current)
		w.raw("}")
	}
	w.raw("}}")
	return w.b
}

// DecodeDocument reads a [Document].
func DecodeDocument(b []byte) (m Document, err error) {
	err = decode(b, func(r *reader, key string) error {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		if key != "twin" || r.peek() != '{' {
			return r.skip()
		}
		return r.object(func(name string) error {
			if len(m.Changes) == MaxProperties {
				return r.bad("at most 256 properties")
			}
			c := Change{Name: name}
			err := r.object(func(key string) error {
				if key != "last" && key != "current" || r.peek() != '{' {
					return r.skip()
				}
				t := &Twin{Name: name}
				if key == "last" {
					c.Last = t
				} else {
					c.Current = t
				}
				return r.twin(t)
			})
			m.Changes = append(m.Changes, c)
			return err
		})
	})
	return m, err
}

// Encode gives the payload.
func (m *Delta) Encode() []byte {
	w := writer{make([]byte, 0, 128+256*len(m.Twins))}
	w.head(m.EventID, m.Timestamp)
	w.raw(`,"twin":`)
	w.twins(m.Twins)
	w.raw(`,"delta":{`)
	for _, d := range m.Wanted {
		w.key(d.Name)
		w.str(d.Value)
	}
	w.raw("}}")
	return w.b
}

// DecodeDelta reads a [Delta].
func DecodeDelta(b []byte) (m Delta, err error) {
	err = decode(b, func(r *reader, key string) (err error) {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		switch {
		case key == "twin" && r.peek() == '{':
			m.Twins, err = r.twins()
			return err
		case key == "delta" && r.peek() == '{':
			return r.object(func(name string) error {
				if len(m.Wanted) == MaxProperties {
					return r.bad("at most 256 properties")
				}
				v, err := r.text("a JSON string")
				m.Wanted = append(m.Wanted, Wanted{Name: name, Value: v})
				return err
			})
		}
		return r.skip()
	})
	return m, err
}

// DecodeState reads a [State]. With an error, EventID holds the event id if it could be found.
func DecodeState(b []byte) (m State, err error) {
	err = decode(b, func(r *reader, key string) (err error) {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		if key == "state" {
			m.State, _, err = r.optional("a JSON string")
			return err
		}
		return r.mapper(key, &m.Mapper)
	})
	if err == nil && m.State == "" {
		err = &twin.FieldError{Field: "state", Want: "online, ok, offline, disconnected, unhealthy, error or unknown"}
	}
	if err != nil && m.EventID == "" {
		m.EventID = Event(b)
	}
	return m, err
}

// Encode gives the payload.
func (m *State) Encode() []byte {
	w := writer{make([]byte, 0, 96)}
	w.head(m.EventID, m.Timestamp)
	w.raw(`,"state":`)
	w.str(m.State)
	w.mapper(m.Mapper)
	w.raw("}")
	return w.b
}

// Encode gives the payload.
func (m *StateResult) Encode() []byte {
	w := writer{make([]byte, 0, 192)}
	w.head(m.EventID, m.Timestamp)
	if m.Code != 0 {
		w.failure(m.Code, m.Reason)
	} else {
		w.raw(`,"device":{"name":`)
		w.str(m.Name)
		w.raw(`,"state":`)
		w.str(m.State)
		if m.LastOnline != "" {
			w.raw(`,"lastOnlineTime":`)
			w.str(m.LastOnline)
		}
		w.raw("}")
	}
	w.raw("}")
	return w.b
}

// DecodeStateResult reads a [StateResult].
func DecodeStateResult(b []byte) (m StateResult, err error) {
	err = decode(b, func(r *reader, key string) error {
		if ok, err := r.base(key, &m.EventID, &m.Timestamp); ok {
			return err
		}
		if ok, err := r.failure(key, &m.Code, &m.Reason); ok {
			return err
		}
		if key != "device" || r.peek() != '{' {
			return r.skip()
		}
		return r.object(func(key string) (err error) {
			switch key {
			case "name":
				m.Name, _, err = r.optional("a string")
			case "state":
				m.State, _, err = r.optional("a string")
			case "lastOnlineTime":
				m.LastOnline, _, err = r.optional("a string")
			default:
				err = r.skip()
			}
			return err
		})
	})
	return m, err
}
