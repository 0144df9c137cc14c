package homekit

import (
	"cmp"
	"slices"

	"twinbridge/bridge/homekit/session"
	"twinbridge/internal/store"
	"twinbridge/twin"
)

// State is what a bridge shows, and to whom.
type State struct {
	Trouble error // why not everything is shown
	Sides   []SideState
	Left    []twin.Name          // devices for which there is no room
	Hidden  map[twin.Name]string // devices that cannot be shown, and why
}

// SideState is one of the bridges of a node.
type SideState struct {
	Number        int
	Name          string // as it is announced
	ID            string
	Port          int
	Announced     bool
	Paired        bool
	Code, Payload string // as long as nobody has paired
	Devices       int
	Config        uint16 // the configuration number, c#
	Controllers   []Controller
	Stats         session.Stats
}

// Controller is somebody who has paired.
type Controller struct {
	ID          string
	Admin       bool
	Connections int // open now
}

// State gives the state of now.
func (b *Bridge) State() State {
	b.mu.Lock()
	st := State{Trouble: b.trouble, Left: b.left, Hidden: b.hidden}
	b.mu.Unlock()
	for _, s := range b.sides {
		st.Sides = append(st.Sides, s.state())
	}
	return st
}

// Reset makes a new bridge of that number; false: there is none. The error tells that it is not durable, and nothing has
// changed.
func (b *Bridge) Reset(number int) (ok bool, err error) {
	if number < 1 || number > len(b.sides) {
		return false, nil
	}
	s := b.sides[number-1]
	if err := s.reset(); err != nil {
		return true, err
	}
	b.build() // the serial number of the bridge itself is its id
	return true, nil
}

// Renew makes a new bridge of one that cannot be opened: another identity, durably, with which nobody has paired. It is there
// when the bridges are opened the next time.
func Renew(file *store.Store, number int) error {
	id, err := newIdentity()
	if err != nil {
		return err
	}
	_, err = newNotebook(file, number).begin(id)
	return err
}

func (s *side) state() SideState {
	st := SideState{Number: s.number, Name: s.name, Port: s.port(), Paired: s.pairer.Paired(), Stats: s.server.Stats()}
	if !st.Paired {
		st.Code, st.Payload, _ = s.code() // it was checked when it was read or made
	}
	open := map[string]int{}
	s.mu.Lock()
	st.ID, st.Devices, st.Config = s.who.ID, len(s.devices), s.config.Number
	if s.service != nil {
		st.Name = s.service.Name()
		select {
		case <-s.service.Announced():
			st.Announced = true
		default:
		}
	}
	for p := range s.peers {
		if p.pair.Authorised() {
			open[p.pair.Controller()]++
		}
	}
	s.mu.Unlock()
	for _, p := range s.pairer.Pairings() {
		st.Controllers = append(st.Controllers, Controller{p.ID, p.Admin, open[p.ID]})
	}
	slices.SortFunc(st.Controllers, func(a, b Controller) int { return cmp.Compare(a.ID, b.ID) })
	return st
}
