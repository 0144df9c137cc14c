package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"twinbridge/accessories"
	"twinbridge/bridge/homekit"
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
	return h, nil
}

// listen takes the ports of the bridge.
func (h *hands) listen(o *Options) error {
	if h.bridge == nil {
		return nil
	}
	if err := h.bridge.Listen(); err != nil {
		return o.listenError("homekit.listen", err)
	}
	return nil
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
