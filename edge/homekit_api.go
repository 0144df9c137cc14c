package edge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/metrics"
	"twinbridge/twin"
)

// homekitOf gives the bridge in the words of the API; nil if there is none.
func (h *hands) homekitOf() *homekitAPI {
	if h.bridge == nil && h.shut() == nil {
		return nil
	}
	return &homekitAPI{h}
}

// homekitAPI is the bridge as the socket serves it.
type homekitAPI struct{ *hands }

// State tells what is shown, and who has paired.
func (h *homekitAPI) State() deviceapi.HomeKit {
	out := deviceapi.HomeKit{Bridges: []deviceapi.HomeKitBridge{}}
	if h.bridge == nil {
		out.Trouble = h.shut().Error()
		return out
	}
	st := h.bridge.State()
	if st.Trouble != nil {
		out.Trouble = st.Trouble.Error()
	}
	for i := range st.Sides {
		s := &st.Sides[i]
		b := deviceapi.HomeKitBridge{
			Bridge: s.Number, Name: s.Name, ID: s.ID, Port: s.Port, Announced: s.Announced, Paired: s.Paired, Code: s.Code, Payload: s.Payload,
			Accessories: s.Devices, Controllers: []deviceapi.HomeKitController{},
		}
		for _, c := range s.Controllers {
			b.Controllers = append(b.Controllers, deviceapi.HomeKitController(c))
		}
		out.Bridges = append(out.Bridges, b)
	}
	for _, n := range st.Left {
		out.Left = append(out.Left, n.String())
	}
	for _, n := range slices.SortedFunc(maps.Keys(st.Hidden), twin.Name.Compare) {
		out.Unknown = append(out.Unknown, deviceapi.HomeKitHidden{Device: n.String(), Reason: st.Hidden[n]})
	}
	return out
}

// errNoBridge is ErrNotFound in other words.
var errNoBridge error = noBridge{}

type noBridge struct{}

func (noBridge) Error() string        { return "there is no such bridge" }
func (noBridge) Is(target error) bool { return target == twin.ErrNotFound }

// Reset makes a new bridge of one.
func (h *homekitAPI) Reset(number int) error {
	if h.bridge == nil {
		return h.renew(number)
	}
	ok, err := h.bridge.Reset(number)
	if !ok {
		return fmt.Errorf("HomeKit bridge %d: %w", number, errNoBridge)
	}
	if err != nil {
		return errors.Join(twin.ErrDisk, err)
	}
	return nil
}

func homekitNumbers(h *hands) metrics.Source {
	return func(emit func(metrics.Metric)) {
		if h.bridge == nil {
			return
		}
		st := h.bridge.State()
		bad := 0.0
		if st.Trouble != nil {
			bad = 1
		}
		emit(gauge("homekit_failing", "1 while not everything that changed can be shown to HomeKit.", bad))
		emit(gauge("homekit_left", "Devices for which no HomeKit bridge has room.", float64(len(st.Left))))
		for i := range st.Sides {
			s := &st.Sides[i]
			at := strconv.Itoa(s.Number)
			one := func(m metrics.Metric) { emit(of(m, "bridge", at)) }
			one(gauge("homekit_devices", "Devices on a HomeKit bridge.", float64(s.Devices)))
			one(gauge("homekit_controllers", "Controllers that have paired.", float64(len(s.Controllers))))
			one(gauge("homekit_connections", "Connections of controllers that are verified.", float64(s.Stats.Secure)))
			one(gauge("homekit_strangers", "Connections that are not verified.", float64(s.Stats.Unverified)))
			one(counter("homekit_requests", "Requests of HomeKit controllers.", s.Stats.Requests))
			one(counter("homekit_events", "Event messages to HomeKit controllers.", s.Stats.Events))
			one(counter("homekit_turned_away", "Connections that were closed or refused for want of room.", s.Stats.Refused+s.Stats.Evicted))
			one(counter("homekit_stalled", "Messages that a controller did not read in time.", s.Stats.Stalled))
			one(counter("homekit_malformed", "Requests and frames that could not be read.", s.Stats.Malformed+s.Stats.Broken))
		}
	}
}

func mdnsNumbers(h *hands) metrics.Source {
	return func(emit func(metrics.Metric)) {
		if h.responder == nil {
			return
		}
		st := h.responder.Stats()
		emit(gauge("mdns_links", "Interfaces, in one family each, on which the node is announced.", float64(len(st.Links))))
		emit(counter("mdns_queries", "Questions of others about our names.", st.Queries))
		emit(counter("mdns_answers", "Answers that were given.", st.Answers+st.Unicasts))
		emit(counter("mdns_conflicts", "Times that somebody else had a name of ours.", st.Conflicts))
		emit(counter("mdns_dropped", "Packets that were left out as too many waited.", st.Dropped))
	}
}
