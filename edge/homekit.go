package edge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"twinbridge/accessories"
	"twinbridge/bridge/homekit"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/metrics"
	"twinbridge/internal/store"
	"twinbridge/pairing/dnssd"
	"twinbridge/twin"
)

// hands is what phones and speakers see of the node: the bridge to HomeKit, and the responder that announces it.
type hands struct {
	bridge    *homekit.Bridge  // nil: there is none, or it could not be opened
	responder *dnssd.Responder // nil: nothing is announced
	loaded    <-chan struct{}  // closed when the devices are known
	file      *store.Store
	bridges   int // how many there are to be

	mu     sync.Mutex
	broken error // why HomeKit could not be opened
}

// openHands opens the bridge. One that cannot be read is shut, which is a trouble of the node and not its end.
func openHands(o *Options, twins *twin.Store, file *store.Store, loaded <-chan struct{}) (*hands, error) {
	c := o.Config.HomeKit
	h := &hands{loaded: loaded, file: file, bridges: c.Bridges}
	if c.Listen == "" {
		return h, nil
	}
	at, err := o.Config.announceAt()
	if err != nil {
		return nil, err
	}
	if at != nil {
		at.Log = o.Log
		if h.responder, err = dnssd.New(*at); err != nil {
			return nil, mdnsError(err)
		}
	}
	name := c.Name
	if name == "" {
		name = "twinbridge " + o.Config.Node.Name
	}
	h.bridge, err = homekit.Open(homekit.Config{
		Name: twin.Clip(name, maxServiceName), Listen: c.Listen, Bridges: c.Bridges, Version: o.Version, Log: o.Log, Responder: h.responder,
	}, twins, file)
	if err != nil {
		o.Log.Error("HomeKit is shut", "err", err)
		h.bridge, h.broken = nil, fmt.Errorf("homekit: %w", err)
		return h, nil
	}
	if err := h.bridge.Listen(); err != nil {
		return nil, o.listenError("homekit.listen", err)
	}
	return h, nil
}

// kindDeadline is how long a device of its kind may take to do what is wished; 0: nothing special.
func kindDeadline(r *twin.Resolved) time.Duration {
	a, err := accessories.Find(r)
	if err != nil {
		return 0
	}
	return a.Kind.ApplyDeadline()
}

// maxServiceName leaves room in the 63 bytes of a DNS-SD instance (RFC 6763, 4.1.1) for the number of a further bridge
// and for that of a name that is taken.
const maxServiceName = 52

// announceAt tells where the node is announced; nil: nowhere.
func (c *Config) announceAt() (*dnssd.Config, error) {
	host, _, err := net.SplitHostPort(c.HomeKit.Listen)
	if err != nil {
		return nil, err
	}
	at := &dnssd.Config{Interfaces: c.MDNS.Interfaces}
	for _, a := range c.MDNS.Addresses {
		ip, err := netip.ParseAddr(a)
		if err != nil {
			return nil, err
		}
		at.Addresses = append(at.Addresses, ip)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "localhost" || err == nil && ip.IsLoopback():
		if len(at.Interfaces) == 0 {
			return nil, nil
		}
	case err == nil && !ip.IsUnspecified() && len(at.Addresses) == 0:
		at.Addresses = []netip.Addr{ip}
	}
	return at, nil
}

func (c *HomeKitConfig) check() error {
	if c.Listen != "" {
		_, port, err := net.SplitHostPort(c.Listen)
		if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n != 0 && n+uint64(max(c.Bridges, 1))-1 > 65535 {
			return &twin.FieldError{Field: "homekit.listen", Value: c.Listen, Want: "host:port, as :51827, or nothing"}
		}
	}
	if c.Bridges < 1 || c.Bridges > homekit.MaxBridges {
		return &twin.FieldError{Field: "homekit.bridges", Value: strconv.Itoa(c.Bridges), Want: fmt.Sprintf("1 to %d", homekit.MaxBridges)}
	}
	return nil
}

func (c *MDNSConfig) check() error {
	for _, a := range c.Addresses {
		if _, err := netip.ParseAddr(a); err != nil {
			return &twin.FieldError{Field: "mdns.addresses", Value: a, Want: "IP addresses"}
		}
	}
	return nil
}

// mdnsError names the key of what the responder does not take.
func mdnsError(err error) error {
	var f *dnssd.FieldError
	if errors.As(err, &f) {
		return &twin.FieldError{Field: "mdns." + strings.ToLower(f.Field), Value: f.Value, Want: f.Want}
	}
	return err
}

func (h *hands) close() error {
	if h.bridge == nil {
		return nil
	}
	return h.bridge.Close()
}

// run announces and serves until ctx ends. Nothing is shown before every device is known.
func (h *hands) run(ctx context.Context) error {
	select {
	case <-h.loaded:
	case <-ctx.Done():
		return nil
	}
	if h.bridge == nil {
		<-ctx.Done()
		return nil
	}
	if h.responder == nil {
		return h.bridge.Run(ctx)
	}
	// The responder ends last: it takes back what the bridge had announced.
	talk, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var talking sync.WaitGroup
	var spoke error
	talking.Go(func() { spoke = h.responder.Run(talk) })
	err := h.bridge.Run(ctx)
	stop()
	talking.Wait()
	return errors.Join(err, spoke)
}

// shut is why HomeKit could not be opened, nil if it could or is not wanted.
func (h *hands) shut() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// renew makes a new bridge of one that could not be opened.
func (h *hands) renew(number int) error {
	if number < 1 || number > h.bridges {
		return fmt.Errorf("HomeKit bridge %d: %w", number, errNoBridge)
	}
	if err := homekit.Renew(h.file, number); err != nil {
		return errors.Join(twin.ErrDisk, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = fmt.Errorf("homekit: bridge %d was reset; restart the node to open it", number)
	return nil
}

// health is what is wrong.
func (h *hands) health() error {
	if h.bridge == nil {
		return h.shut()
	}
	if err := h.bridge.State().Trouble; err != nil {
		return fmt.Errorf("homekit: %w", err)
	}
	return nil
}

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
