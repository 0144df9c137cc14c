package topic

import (
	"fmt"

	"twinbridge/twin"
)

// Value is one side, expected or actual, of a property in a message.
type Value struct {
	Set       bool // the message says something of this side
	Text      string
	Timestamp int64 // ms since 1970, a label; 0: not said

	// Wish names the wish: in a delta and in answers the one that waits for expected, in a report the one whose
	// execution it follows. HasWish tells that the key was there, be it with "": its sender names wishes (rule 5).
	Wish    string
	HasWish bool
	// Act marks a report that follows a hand on the device.
	Act bool
	// RemainingMs is what is left of a pending press, in a delta; 0 of a standing wish.
	RemainingMs int64
}

// Version is KubeEdge's pair of versions: {highest cloud number dealt with, rev}.
type Version struct{ Cloud, Edge int64 }

// Twin is one property in a message.
type Twin struct {
	Name     string
	Expected Value
	Actual   Value
	Optional bool   // KubeEdge: the key may be deleted; only written
	Type     string // KubeEdge's name of the type, [TypeName]; of no meaning in what clients say
	// Delete tells that the key stood there with null, which asks for its deletion.
	Delete bool
	// Error is why a mapper could not carry out the wish that Wish names; HasWish as in [Value].
	Error   string
	Wish    string
	HasWish bool
	// Versions are told in membership messages only, and ignored in what clients say.
	ExpectedVersion, ActualVersion *Version
}

// TypeName gives KubeEdge's name of a type.
func TypeName(t twin.Type) string {
	if t == twin.Bool {
		return "boolean"
	}
	return t.String()
}

// twins reads the object of properties.
func (r *reader) twins() ([]Twin, error) {
	var list []Twin
	err := r.object(func(name string) error {
		if len(list) == MaxProperties {
			return r.bad(fmt.Sprintf("at most %d properties", MaxProperties))
		}
		t := Twin{Name: name}
		if r.null() {
			t.Delete = true
		} else if err := r.twin(&t); err != nil {
			return err
		}
		list = append(list, t)
		return nil
	})
	return list, err
}

func (r *reader) twin(t *Twin) error {
	return r.object(func(key string) (err error) {
		switch key {
		case "expected":
			return r.value(&t.Expected)
		case "actual":
			return r.value(&t.Actual)
		case "optional":
			t.Optional, err = r.truth()
			return err
		case "metadata":
			return r.metadata(func(key string) error {
				switch key {
				case "type":
					t.Type, err = r.loose()
				case "error":
					t.Error, _, err = r.optional("a string")
				case "wish":
					t.Wish, t.HasWish, err = r.wish()
				default:
					err = r.skip()
				}
				return err
			})
		case "expected_version":
			t.ExpectedVersion, err = r.version()
		case "actual_version":
			t.ActualVersion, err = r.version()
		default:
			err = r.skip()
		}
		return err
	})
}

// value reads one side. Mappers whose JSON tags are misspelt send sides that they have nothing to say of, with null for
// the value: such a side counts as absent.
func (r *reader) value(v *Value) error {
	if r.null() {
		return nil
	}
	return r.object(func(key string) (err error) {
		switch key {
		case "value":
			v.Text, v.Set, err = r.optional("a JSON string")
			if err == nil && len(v.Text) > twin.MaxValueLen {
				return &twin.FieldError{Field: clip(r.where()), Value: clip(v.Text), Want: fmt.Sprintf("at most %d bytes", twin.MaxValueLen)}
			}
			return err
		case "metadata":
			return r.metadata(func(key string) error {
				switch key {
				case "timestamp":
					v.Timestamp, err = r.millis()
				case "wish":
					v.Wish, v.HasWish, err = r.wish()
				case "act":
					v.Act, err = r.truth()
				case "remainingMs":
					v.RemainingMs, err = r.whole()
				default:
					err = r.skip()
				}
				return err
			})
		default:
			return r.skip()
		}
	})
}

// metadata reads an object that may as well be null.
func (r *reader) metadata(field func(string) error) error {
	if r.null() {
		return nil
	}
	return r.object(field)
}

// wish reads the id of a wish. An id that no wish can have is refused here, so that nobody has to look for it.
func (r *reader) wish() (string, bool, error) {
	s, ok, err := r.optional("a string")
	if err == nil && len(s) > twin.MaxWishIDLen {
		return "", false, &twin.FieldError{Field: clip(r.where()), Value: clip(s), Want: fmt.Sprintf("at most %d bytes", twin.MaxWishIDLen)}
	}
	return s, ok, err
}

// version reads KubeEdge's versions; in a form that is not theirs they count as absent.
func (r *reader) version() (*Version, error) {
	if r.peek() != '{' {
		return nil, r.skip()
	}
	v := &Version{}
	err := r.object(func(key string) (err error) {
		switch key {
		case "cloud":
			v.Cloud, err = r.millis()
		case "edge":
			v.Edge, err = r.millis()
		default:
			err = r.skip()
		}
		return err
	})
	return v, err
}

// twins writes the object of properties.
func (w *writer) twins(list []Twin) {
	w.raw("{")
	for i := range list {
		w.key(list[i].Name)
		w.twin(&list[i])
	}
	w.raw("}")
}

// twin writes one property, in the order of KubeEdge's fields.
func (w *writer) twin(t *Twin) {
	if t.Delete {
		w.raw("null")
		return
	}
	w.raw("{")
	if t.Expected.Set {
		w.key("expected")
		w.value(&t.Expected)
	}
	if t.Actual.Set {
		w.key("actual")
		w.value(&t.Actual)
	}
	if t.Optional {
		w.key("optional")
		w.raw("true")
	}
	if t.Type != "" || t.Error != "" || t.HasWish {
		w.key("metadata")
		w.raw("{")
		if t.Type != "" {
			w.key("type")
			w.str(t.Type)
		}
		if t.HasWish {
			w.key("wish")
			w.str(t.Wish)
		}
		if t.Error != "" {
			w.key("error")
			w.str(t.Error)
		}
		w.raw("}")
	}
	w.version("expected_version", t.ExpectedVersion)
	w.version("actual_version", t.ActualVersion)
	w.raw("}")
}

func (w *writer) value(v *Value) {
	w.raw(`{"value":`)
	w.str(v.Text)
	if v.Timestamp != 0 || v.HasWish || v.Act || v.RemainingMs != 0 {
		w.raw(`,"metadata":{`)
		if v.Timestamp != 0 {
			w.key("timestamp")
			w.num(v.Timestamp)
		}
		if v.HasWish {
			w.key("wish")
			w.str(v.Wish)
		}
		if v.Act {
			w.key("act")
			w.raw("true")
		}
		if v.RemainingMs != 0 {
			w.key("remainingMs")
			w.num(v.RemainingMs)
		}
		w.raw("}")
	}
	w.raw("}")
}

func (w *writer) version(key string, v *Version) {
	if v == nil {
		return
	}
	w.key(key)
	w.raw(`{"cloud":`)
	w.num(v.Cloud)
	w.raw(`,"edge":`)
	w.num(v.Edge)
	w.raw("}")
}
