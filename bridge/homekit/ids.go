package homekit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbridge/internal/store"
	"twinbridge/twin"
)

// Keys of the registry of identifiers.
const (
	accessoryPrefix = "accessory/"
	keyNextAID      = "next-aid"
)

// keepFor is how long the identifiers of a device that is no more wait for one of the same name (rule 6).
const keepFor = 365 * 24 * time.Hour

// firstAID is the first accessory id of a device; 1 is the bridge itself.
const firstAID = 2

// known is what a name was given, for ever: on which bridge it is, its accessory id there, and the instance ids of its
// services and characteristics.
type known struct {
	Bridge int               `json:"bridge"` // from 1
	AID    uint64            `json:"aid"`
	IIDs   map[string]uint64 `json:"iids"`
	Next   uint64            `json:"next"` // instance id
	Gone   time.Time         `json:"gone,omitzero"`
}

// iid gives the instance id of a service or characteristic, by a key that says what it is, never where it stands.
func (k *known) iid(key string) uint64 {
	id, ok := k.IIDs[key]
	if !ok {
		id = k.Next
		k.Next++
		k.IIDs[key] = id
	}
	return id
}

func (k *known) clone() *known {
	c := *k
	c.IIDs = maps.Clone(k.IIDs)
	return &c
}

// ids gives accessory and instance ids, once per name. They are durable before anybody sees them.
type ids struct {
	file    *store.Store
	bridges int // how many there are
	most    int // accessories on each, beside itself
	next    uint64
	names   map[twin.Name]*known
}

// openIDs reads the registry.
func openIDs(file *store.Store, bridges, most int) (*ids, error) {
	r := &ids{file: file, bridges: bridges, most: most, next: firstAID, names: map[twin.Name]*known{}}
	records, err := file.Records(bucket)
	if err != nil {
		return nil, fmt.Errorf("identifiers of the HomeKit accessories: %w", err)
	}
	for _, rec := range records {
		text, ok := strings.CutPrefix(rec.Key, accessoryPrefix)
		if !ok {
			continue
		}
		name, err := twin.ParseName(text)
		k := new(known)
		if err == nil {
			err = json.Unmarshal(rec.Data, k)
		}
		if err == nil && (k.AID < firstAID || k.IIDs == nil || k.Next <= uint64(len(k.IIDs))) {
			err = errors.New("it makes no sense")
		}
		if err != nil {
			return nil, fmt.Errorf("identifiers of HomeKit accessory %q: %w: %w", text, err, errUnreadable)
		}
		r.names[name] = k
		r.next = max(r.next, k.AID+1)
	}
	data, err := file.Get(bucket, keyNextAID)
	var next uint64
	switch {
	case errors.Is(err, store.ErrNotFound) && len(r.names) == 0:
		return r, nil
	case err == nil:
		err = json.Unmarshal(data, &next)
	}
	if err != nil {
		return nil, fmt.Errorf("next identifier of the HomeKit accessories: %w: %w", err, errUnreadable)
	}
	r.next = max(r.next, next)
	return r, nil
}

// wanted is a device to be shown, and what its services and characteristics are called.
type wanted struct {
	name twin.Name
	keys []string
}

// assign gives every device its identifiers, the old ones where it ever had some. Devices beyond what the bridges hold
// come back as refused. What was new is on disk when it returns; after an error nothing has changed.
func (r *ids) assign(now time.Time, list []wanted) (given map[twin.Name]*known, refused []twin.Name, err error) {
	given, next := map[twin.Name]*known{}, r.next
	var changes []store.Change
	put := func(name twin.Name, k *known) error {
		data, err := json.Marshal(k)
		changes = append(changes, store.Change{Bucket: bucket, Key: accessoryPrefix + name.String(), Data: data})
		return err
	}
	room, here := make([]int, r.bridges+1), map[twin.Name]bool{}
	for _, w := range list {
		here[w.name] = true
		if k := r.names[w.name]; k != nil && k.Gone.IsZero() && k.Bridge <= r.bridges {
			room[k.Bridge]++
		}
	}
	list = slices.SortedFunc(slices.Values(list), func(a, b wanted) int { return r.before(a.name, b.name) })
	for _, w := range list {
		k, old := &known{AID: next, IIDs: map[string]uint64{}, Next: 1}, r.names[w.name]
		if old != nil {
			k = old.clone()
		}
		if old == nil || !old.Gone.IsZero() || old.Bridge > r.bridges {
			k.Gone = time.Time{}
			if k.Bridge = r.place(room, k.Bridge); k.Bridge == 0 {
				refused = append(refused, w.name)
				continue
			}
			room[k.Bridge]++
			if old == nil {
				next++
			}
		}
		for _, key := range w.keys {
			k.iid(key)
		}
		given[w.name] = k
		if old == nil || k.Next != old.Next || k.Bridge != old.Bridge || !k.Gone.Equal(old.Gone) {
			if err := put(w.name, k); err != nil {
				return nil, nil, err
			}
		}
	}
	var forgotten []twin.Name
	left := map[twin.Name]*known{}
	for name, k := range r.names {
		switch {
		case here[name]:
		case k.Gone.IsZero():
			c := k.clone()
			c.Gone = now
			left[name] = c
			if err := put(name, c); err != nil {
				return nil, nil, err
			}
		case now.Sub(k.Gone) > keepFor:
			forgotten = append(forgotten, name)
			changes = append(changes, store.Change{Bucket: bucket, Key: accessoryPrefix + name.String()})
		}
	}
	if len(changes) > 0 {
		data, err := json.Marshal(next)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, store.Change{Bucket: bucket, Key: keyNextAID, Data: data})
		if err := r.file.Commit(changes...); err != nil {
			return nil, nil, fmt.Errorf("save the identifiers of the HomeKit accessories: %w", err)
		}
	}
	r.next = next
	maps.Copy(r.names, given)
	maps.Copy(r.names, left)
	for _, name := range forgotten {
		delete(r.names, name)
	}
	return given, refused, nil
}

// before puts who is known first, so that a newcomer takes nobody's place; among newcomers the name decides.
func (r *ids) before(a, b twin.Name) int {
	there := func(n twin.Name) int {
		if k := r.names[n]; k != nil && k.Gone.IsZero() {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(there(a), there(b)), a.Compare(b))
}

// place finds a bridge with room, first the one where the device was; 0: there is none.
func (r *ids) place(room []int, was int) int {
	if was >= 1 && was <= r.bridges && room[was] < r.most {
		return was
	}
	for i := 1; i <= r.bridges; i++ {
		if room[i] < r.most {
			return i
		}
	}
	return 0
}
