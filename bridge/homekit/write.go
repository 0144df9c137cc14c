package homekit

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"twinbridge/accessories"
	"twinbridge/bridge/homekit/database"
	"twinbridge/twin"
)

// pressFor is how long a wish of a controller may take to be applied (rule 2).
const pressFor = 30 * time.Second

// identifyIID is the instance id of Identify in every accessory; see infoKeys.
const identifyIID = 2

// writing is what a request writes to one device.
type writing struct {
	*device
	wished accessories.Traits
	at     []int // the places in the request
}

// Write makes one wish for each device of what a controller writes, a press (rule 2), all in one step. It is answered
// when they are accepted.
func (s *side) Write(by *database.Client, writes []database.Write, status []database.Status) {
	list := s.sort(by, writes, status)
	if len(list) == 0 {
		return
	}
	// Two requests for the same devices lock them in the same order.
	slices.SortFunc(list, func(a, b *writing) int { return cmp.Compare(a.aid, b.aid) })
	for _, w := range list {
		w.mu.Lock()
		defer w.mu.Unlock()
	}
	asks := make([]twin.Asking, len(list))
	for i, w := range list {
		asks[i] = twin.Asking{Device: w.name, Wish: func(v *twin.View) (twin.Wish, error) { return w.wish(by.About(), v) }}
	}
	s.twins.AskAll(asks)
	for i, w := range list {
		st := statusOf(&asks[i])
		for _, at := range w.at {
			if status[at] == database.Success {
				status[at] = st
			}
		}
		if st != database.Success {
			continue
		}
		for _, t := range w.what.Traits() {
			if x, ok := w.wished.Get(t); ok {
				w.device.wished.Set(t, x)
			}
		}
		w.show(&asks[i].View, by)
	}
}

// sort finds out what is wished of which device. What cannot be wished, and Identify, it deals with itself.
func (s *side) sort(by *database.Client, writes []database.Write, status []database.Status) (list []*writing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range writes {
		d := s.devices[w.AID]
		switch {
		case w.IID == identifyIID:
			if w.Value.Bool() {
				s.identify(by.About(), d)
			}
			continue
		case d == nil:
			status[i] = database.ResourceDoesNotExist
			continue
		}
		q := d.point(w.IID)
		if q == nil || q.wish == nil {
			status[i] = database.ReadOnly
			continue
		}
		n := slices.IndexFunc(list, func(l *writing) bool { return l.device == d })
		if n < 0 {
			n, list = len(list), append(list, &writing{device: d})
		}
		q.wish(w.Value, &list[n].wished)
		list[n].at = append(list[n].at, i)
	}
	return list
}

// identify makes a device show which one it is; the bridge itself, which is no device, has nothing to blink with.
func (s *side) identify(asker string, d *device) {
	if d == nil {
		s.log.Info("HomeKit: somebody looks for this bridge", "controller", asker)
		return
	}
	s.blinker.start(d)
}

// errOffline is why nothing is wished of a device that does not answer.
var errOffline = errors.New("the device is offline")

// wish makes the wish of a device as it is.
func (w *writing) wish(asker string, v *twin.View) (twin.Wish, error) {
	if v.Presence == twin.Offline {
		return twin.Wish{}, errOffline
	}
	values, err := w.what.Wish(v, w.wished)
	return twin.Wish{ID: w.store.NewID(), Asker: asker, Origin: twin.FromHomeKit, Values: values, ValidFor: pressFor}, err
}

// statusOf tells a controller what became of its wish.
func statusOf(a *twin.Asking) database.Status {
	var field *twin.FieldError
	switch {
	case a.Err == nil:
		return database.Success
	case errors.Is(a.Err, errOffline):
		return database.ServiceCommunicationFailure
	case errors.As(a.Err, &field):
		return database.InvalidValueInRequest
	case errors.Is(a.Err, twin.ErrNotFound):
		return database.ResourceDoesNotExist
	}
	return database.OutOfResource // too many wishes of it are pending
}
