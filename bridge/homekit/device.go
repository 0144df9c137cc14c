package homekit

import (
	"errors"
	"sync"

	"twinbridge/accessories"
	"twinbridge/bridge/homekit/database"
	"twinbridge/twin"
)

// device is a twin as an accessory.
type device struct {
	store *twin.Store
	name  twin.Name
	what  accessories.Accessory
	def   *twin.Resolved // that the accessory was made of
	aid   uint64
	parts []part
	// mu orders reading the twin and showing it: else an older state could be shown after a newer one.
	mu     sync.Mutex
	db     *database.Database
	wished accessories.Traits // by controllers, to show what they set where the device has coarser steps
}

// newDevice finds out what a twin is; the reason why HomeKit cannot show it, if it cannot.
func newDevice(store *twin.Store, def *twin.Resolved) (*device, string) {
	what, err := accessories.Find(def)
	if err != nil {
		var field *twin.FieldError
		if errors.As(err, &field) {
			err = field // without the name, which whoever tells the reason says
		}
		return nil, err.Error()
	}
	d := &device{store: store, name: def.Name, what: what, def: def}
	if d.parts = partsOf(&d.what); len(d.parts) == 0 {
		if what.Reason != "" {
			return nil, what.Reason
		}
		return nil, "HomeKit has nothing like a " + string(what.Kind)
	}
	return d, ""
}

// keys names the services and characteristics, for their instance ids.
func (d *device) keys() []string {
	keys := append([]string{}, infoKeys...)
	for i := range d.parts {
		p := &d.parts[i]
		keys = append(keys, p.key)
		for j := range p.points {
			keys = append(keys, p.key+"/"+p.points[j].key)
		}
	}
	return keys
}

// accessory gives the accessory under the ids that the name was given, as the twin is now.
func (d *device) accessory(k *known, v *twin.View) database.Accessory {
	d.aid = k.AID
	a := database.Accessory{AID: k.AID, Services: []database.Service{aboutDevice(d.def).service(k.iid)}}
	traits := d.what.ReadLike(v, &d.wished)
	for i := range d.parts {
		p := &d.parts[i]
		s := database.Service{IID: k.iid(p.key), Type: p.service, Primary: p.primary}
		for j := range p.points {
			q := &p.points[j]
			q.iid = k.iid(p.key + "/" + q.key)
			c := q.char
			c.IID, c.Value = q.iid, q.show(&traits)
			s.Characteristics = append(s.Characteristics, c)
		}
		a.Services = append(a.Services, s)
	}
	return a
}

// follow shows the twin as it is now.
func (d *device) follow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v, err := d.store.Device(d.name); err == nil {
		d.show(&v, nil)
	}
}

// show brings the database in step with the twin. Whoever caused it is not told. mu is held.
func (d *device) show(v *twin.View, by *database.Client) {
	if d.db == nil {
		return
	}
	traits := d.what.ReadLike(v, &d.wished)
	var space [8]database.Update
	updates := space[:0]
	for i := range d.parts {
		for j := range d.parts[i].points {
			q := &d.parts[i].points[j]
			u := database.Update{IID: q.iid, Value: q.show(&traits)}
			if v.Presence == twin.Offline || u.Value.IsZero() {
				u.Status = database.ServiceCommunicationFailure
			}
			updates = append(updates, u)
		}
	}
	d.db.Set(d.aid, by, updates...)
}

func (d *device) point(iid uint64) *point {
	for i := range d.parts {
		for j := range d.parts[i].points {
			if q := &d.parts[i].points[j]; q.iid == iid {
				return q
			}
		}
	}
	return nil
}
