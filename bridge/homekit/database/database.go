package database

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// Database holds the accessories of one bridge. Its methods may be called by several goroutines at once.
type Database struct {
	now    func() time.Duration
	writer Writer

	mu      sync.Mutex
	order   []*accessory // by aid
	byAID   map[uint64]*accessory
	clients map[*Client]struct{}
	body    []byte // of /accessories, never changed once made; nil: a value has changed since
}

// accessory is one of them, as it is now.
type accessory struct {
	Accessory
	slots []slot
	byIID map[uint64]*slot
	pre   [][]byte // the JSON before each value that is read, and after the last
}

// slot is one characteristic.
type slot struct {
	*Characteristic
	aid    uint64
	order  int // among all of the database
	value  Value
	status Status // of reading it
	ears   []*Client
}

// New makes a database. writer is handed what controllers write; now tells monotonic time, for timed writes.
func New(accessories []Accessory, writer Writer, now func() time.Duration) (*Database, error) {
	d := &Database{now: now, writer: writer, byAID: map[uint64]*accessory{}, clients: map[*Client]struct{}{}}
	return d, d.Replace(accessories)
}

// Replace puts another set of accessories in the place of the present one, after a check of the whole. Values are those
// that the set gives; subscriptions to what is still there stay.
func (d *Database) Replace(accessories []Accessory) error {
	if err := validate(accessories); err != nil {
		return err
	}
	order := make([]*accessory, len(accessories))
	for i := range accessories {
		order[i] = build(accessories[i])
	}
	slices.SortFunc(order, func(a, b *accessory) int { return cmp.Compare(a.AID, b.AID) })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order, d.body = order, nil
	d.byAID = make(map[uint64]*accessory, len(order))
	n := 0
	for _, a := range order {
		d.byAID[a.AID] = a
		for i := range a.slots {
			a.slots[i].order = n
			n++
		}
	}
	for c := range d.clients {
		c.moved()
	}
	return nil
}

// build makes the running side of an accessory.
func build(a Accessory) *accessory {
	out := &accessory{Accessory: a, byIID: map[uint64]*slot{}}
	for i := range a.Services {
		for j := range a.Services[i].Characteristics {
			c := &a.Services[i].Characteristics[j]
			s := slot{Characteristic: c, aid: a.AID, value: c.Value}
			if s.value.IsZero() {
				s.value = c.zero()
			}
			out.slots = append(out.slots, s)
		}
	}
	for i := range out.slots {
		out.byIID[out.slots[i].IID] = &out.slots[i]
	}
	out.pre = out.encode()
	return out
}

// Update is what a characteristic shows from now on.
type Update struct {
	IID   uint64
	Value Value // none: as before
	// Status is what reading it is answered with, as ServiceCommunicationFailure of a device that does not answer.
	Status Status
}

// Set changes what an accessory shows, and tells every connection that asked for it, save the one that caused it, which
// may be nil. What can be read again is told as well, or "No Response" would stand until somebody looks. What is not there, or no value of the characteristic, is left out: what a device says never disturbs the
// rest.
func (d *Database) Set(aid uint64, by *Client, updates ...Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.byAID[aid]
	if a == nil {
		return
	}
	for _, u := range updates {
		s := a.byIID[u.IID]
		if s == nil {
			continue
		}
		back := s.status != Success && u.Status == Success
		s.status = u.Status
		changed := !u.Value.IsZero() && u.Value != s.value && s.check(u.Value) == nil
		if changed {
			s.value = u.Value
			if s.Perms&PairedRead != 0 {
				d.body = nil
			}
		}
		for _, c := range s.ears {
			switch {
			case c == by && u.Value == s.value:
				delete(c.dirty, s) // it knows
			case changed || back:
				c.mark(s, by)
			}
		}
	}
}

// Get gives what a characteristic shows, and whether it is there.
func (d *Database) Get(aid, iid uint64) (Value, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.byAID[aid]; a != nil {
		if s := a.byIID[iid]; s != nil {
			return s.value, true
		}
	}
	return Value{}, false
}

// Hash is the same for the same structure, whatever the values and the order in which it was given: controllers have to
// read /accessories again if it is another (the c# of the TXT record).
func (d *Database) Hash() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := sha256.New()
	for _, a := range d.order {
		sorted := a.Accessory
		sorted.Services = slices.Clone(a.Services)
		slices.SortFunc(sorted.Services, func(x, y Service) int { return cmp.Compare(x.IID, y.IID) })
		for i := range sorted.Services {
			cs := slices.Clone(sorted.Services[i].Characteristics)
			slices.SortFunc(cs, func(x, y Characteristic) int { return cmp.Compare(x.IID, y.IID) })
			sorted.Services[i].Characteristics = cs
		}
		for _, part := range (&accessory{Accessory: sorted}).encode() {
			h.Write(part)
			h.Write([]byte{0})
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
