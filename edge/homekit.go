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

	"twinbridge/bridge/homekit"
	"twinbridge/internal/deviceapi"
	"twinbridge/internal/store"
	"twinbridge/pairing/dnssd"
	"twinbridge/twin"
)

// hands is what phones and speakers see of the node: the bridge to HomeKit, and the responder that announces it.
type hands struct {
	bridge    *homekit.Bridge  // nil: there is none, or it could not be opened
	responder *dnssd.Responder // nil: nothing is announced
	broken    error            // why HomeKit could not be opened
	loaded    <-chan struct{}  // closed when the devices are known
}

// openHands opens the bridge. One that cannot be read is shut, which is a trouble of the node and not its end.
func openHands(o *Options, twins *twin.Store, file *store.Store, loaded <-chan struct{}) (*hands, error) {
	h := &hands{loaded: loaded}
	c := o.Config.HomeKit
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
	return h, h.bridge.Listen()
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

// health is what is wrong.
func (h *hands) health() error {
	if h.bridge == nil {
		return h.broken
	}
	if err := h.bridge.State().Trouble; err != nil {
		return fmt.Errorf("homekit: %w", err)
	}
	return nil
}

// homekitOf gives the bridge in the words of the API; nil if there is none.
func (h *hands) homekitOf() *homekitAPI {
	if h.bridge == nil && h.broken == nil {
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
		out.Trouble = h.broken.Error()
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

// Reset makes a new bridge of one.
func (h *homekitAPI) Reset(number int) error {
	if h.bridge == nil {
		return h.broken
	}
	ok, err := h.bridge.Reset(number)
	if !ok {
		return fmt.Errorf("HomeKit bridge %d: %w", number, twin.ErrNotFound)
	}
	if err != nil {
		return errors.Join(twin.ErrDisk, err)
	}
	return nil
}
