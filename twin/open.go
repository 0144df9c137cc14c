package twin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// OpenNode makes a Node of what is on disk; no records make a new one, with a new store id. A record that cannot be
// read is an error that names its key. Start must be called before anything else.
func OpenNode(cfg NodeConfig, records []Record) (*Node, error) {
	n := &Node{
		cfg: cfg, devices: map[Name]*device{}, models: map[Name]*DeviceModel{}, theirs: map[Name]*DeviceModel{}, gone: map[string]*tombstone{},
		changed: map[Name]bool{}, dirty: map[string]bool{}, hidden: map[uint64]bool{},
	}
	twins := map[Name]*twinRecord{}
	devices := map[Name]*deviceRecord{}
	clouds := map[Name][]cloudRecord{}
	fresh := true
	for _, r := range records {
		var err error
		prefix, rest, _ := strings.Cut(r.Key, "/")
		switch prefix + "/" {
		case prefixModel:
			m := &DeviceModel{}
			err = json.Unmarshal(r.Data, m)
			by, _, _ := strings.Cut(rest, "/")
			n.modelsOf(Definer(by))[m.Name] = m
		case prefixDev:
			dr := &deviceRecord{}
			err = json.Unmarshal(r.Data, dr)
			devices[dr.Device.Name] = dr
		case prefixTwin:
			tr := &twinRecord{}
			err = json.Unmarshal(r.Data, tr)
			twins[mustName(rest)] = tr
		case prefixCloud:
			var rec cloudRecord
			err = json.Unmarshal(r.Data, &rec)
			space, name, _ := strings.Cut(rest, "/")
			name, _, _ = strings.Cut(name, "/")
			of := Name{Namespace: space, Name: name}
			clouds[of] = append(clouds[of], rec)
		case prefixGone:
			t := &tombRecord{}
			err = json.Unmarshal(r.Data, t)
			n.gone[t.UID] = &tombstone{Name: t.Name, UID: t.UID, Generation: t.Generation, Moved: t.Moved, ByNode: t.ByNode, Rev: t.Rev, Outcomes: t.Outcomes}
			for i := range t.Ended {
				w, bad := t.Ended[i].wish()
				if err = errors.Join(err, bad); bad == nil {
					n.gone[t.UID].Ended = append(n.gone[t.UID].Ended, w)
				}
			}
		case keyMeta + "/":
			fresh = false
			err = json.Unmarshal(r.Data, &n.meta)
		default:
			err = fmt.Errorf("no such kind of record")
		}
		if err != nil {
			return nil, fmt.Errorf("read record %q: %w", r.Key, err)
		}
	}
	if fresh && len(records) > 0 {
		return nil, fmt.Errorf("read records: %q is missing among %d", keyMeta, len(records))
	}
	for name, dr := range devices {
		def, err := resolveWith(&dr.Device, n.modelsOf(dr.Device.Definer))
		if err != nil {
			return nil, fmt.Errorf("read record %q: %w", deviceKey(name), err)
		}
		d := &device{def: def, presence: Unknown, prop: make([]propState, len(def.Props)), defRev: dr.Rev, bornRev: dr.Born}
		if tr := twins[name]; tr != nil && tr.UID == def.UID {
			if err := d.load(tr); err != nil {
				return nil, fmt.Errorf("read record %q: %w", twinKey(name), err)
			}
			d.cloud = clouds[name]
			slices.SortStableFunc(d.cloud, func(a, b cloudRecord) int { return cmp.Compare(a.Number, b.Number) })
		}
		n.devices[name] = d
	}
	n.durable, n.told = n.meta.Rev, n.meta.Rev
	return n, nil
}

func (d *device) load(r *twinRecord) error {
	d.sentState, d.lastSeen, d.lastOnline = r.SentState, r.LastSeen, r.LastOnline
	d.rev, d.dealt, d.dealID = r.Rev, r.Dealt, r.DealtID
	for i := range d.prop {
		pr, ok := r.Props[d.def.Props[i].Name]
		if !ok {
			continue
		}
		s := &d.prop[i]
		var err error
		if s.expected, err = pr.Expected.value(); err != nil {
			return err
		}
		if s.actual, err = pr.Actual.value(); err != nil {
			return err
		}
		s.origin, s.rev, s.act, s.actualAt, s.adopt = pr.Origin, pr.Rev, pr.Act, pr.ActualAt, pr.Adopt
	}
	for _, list := range []struct {
		from []wishRecord
		to   *[]*wish
	}{{r.Wishes, &d.wishes}, {r.Ended, &d.ended}} {
		for i := range list.from {
			w, err := list.from[i].wish()
			if err != nil {
				return err
			}
			*list.to = append(*list.to, w)
		}
	}
	for _, w := range d.wishes {
		for _, name := range w.order {
			if w.state[name] != lost && d.def.Property(name) == nil {
				return fmt.Errorf("wish %s: %w", w.ID, &FieldError{Field: "property", Value: clip(name), Want: "one of " + d.def.PropertyNames()})
			}
		}
	}
	return nil
}

// Start begins the node's life: it records this opening of the store (rule 7), ends the presses that a stop cut off,
// and hands out again what is still wished (rule 9).
func (n *Node) Start(now Now) {
	n.begin(now)
	n.started = now.Mono
	if n.meta.StoreID == "" {
		n.meta.StoreID, n.meta.FileID = n.cfg.NewID(), n.cfg.FileID
	}
	n.opening = n.cfg.NewID()
	n.meta.Openings = append(n.meta.Openings, opening{ID: n.opening, First: n.meta.Rev + 1})
	if extra := len(n.meta.Openings) - keptOpenings; extra > 0 {
		n.meta.Openings = slices.Delete(n.meta.Openings, 0, extra)
	}
	n.decide(nil)
	if n.meta.FileID != n.cfg.FileID { // restored from a backup
		n.meta.FileID = n.cfg.FileID
		n.renew()
	}
	for _, name := range n.Names() {
		n.startDevice(n.devices[name])
	}
}

func (n *Node) startDevice(d *device) {
	n.changed[d.def.Name] = true
	if d.sentState {
		d.silentAt = n.now.Mono + silenceAtStart
	}
	for _, w := range slices.Clone(d.wishes) {
		if !w.Press() {
			continue
		}
		for _, name := range w.order {
			s, _ := d.p(name)
			if w.state[name] == lost || w.state[name] == shown && s.rev != w.acceptRev {
				continue // somebody else's by now
			}
			n.expect(d, s, s.actual, FromRestore)
			s.adopt = true
		}
		n.end(d, w, Expired, "the node was restarted")
	}
	n.offer(d)
	n.arm(d)
}
