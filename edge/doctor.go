package edge

import (
	"context"
	"net/netip"
	"os"
	"time"

	"twinbridge/bridge/homekit"
	"twinbridge/edge/doctor"
	"twinbridge/edge/local"
	"twinbridge/internal/deviceapi"
)

// DoctorOptions are what is looked at beside the node itself.
type DoctorOptions struct {
	NoConfig  bool         // there is no configuration, and the defaults hold
	ConfigErr error        // why the configuration cannot be read; the other checks then go by the defaults
	Ports     []DoctorPort // of others in the data folder
}

// DoctorPort is an address of another process in the data folder, as the hub's.
type DoctorPort struct {
	Key, Address string
	Who          string // "the hub"
	Socket       string // of that process
}

// Doctor looks at the node that o describes and gives what it saw, in the order in which phones most often stay blind by
// it. It changes nothing, and needs no node that runs. It takes about 8 seconds at most.
func Doctor(ctx context.Context, o Options, also DoctorOptions) []doctor.Result {
	return doctor.Run(ctx, checks(&o, also))
}

func checks(o *Options, also DoctorOptions) []doctor.Check {
	d := &patient{o: o, sock: Socket(o.Data)}
	d.node = doctor.NewNode(d.health)
	list := []doctor.Check{
		doctor.CheckNode(d.node, d.sock, o.Program+" edge"+o.dataFlag()),
		doctor.CheckServices(d.node, d.announced, doctor.MDNSProbes{
			Browse: doctor.Browse, Dial: doctor.SystemDial, Addresses: d.addresses, Listeners: doctor.Listeners,
		}),
		doctor.CheckInterfaces(doctor.Interfaces),
		doctor.CheckConfig(o.File, also.NoConfig, also.ConfigErr),
	}
	for _, p := range d.ports(also.Ports) {
		list = append(list, doctor.CheckPort(p, doctor.PortProbes{
			Listeners: doctor.Listeners, Addresses: doctor.Addresses, Resolve: doctor.Resolve, LowPorts: doctor.LowPorts,
		}))
	}
	return append(list,
		doctor.CheckClock(doctor.Clock{Now: time.Now, Sync: doctor.ClockSync, Built: o.Built, Last: d.lastWritten}),
		doctor.CheckStore(d.node, o.Data, storeName, []string{local.SocketName}, doctor.StoreProbes{
			Stat: doctor.Stat, Space: doctor.SpaceOf, Check: checkStoreFile, UID: os.Geteuid(),
		}),
		doctor.CheckCertificates(time.Now, d.certificates()),
		doctor.CheckBroker(d.node, d.broker()),
		doctor.CheckHub(d.node, doctor.Hub{Member: d.member, Dial: doctor.SystemDial, Now: time.Now}),
		d.gpio(),
	)
}

// patient is the node that is looked at.
type patient struct {
	o    *Options
	sock string
	node *doctor.Node
}

// announced lists what the node announces by multicast DNS, as it says itself.
func (d *patient) announced(ctx context.Context) (doctor.Announced, error) {
	if d.o.Config.HomeKit.Listen == "" {
		return doctor.Announced{Why: "homekit.listen is empty: there is no HomeKit"}, nil
	}
	if at, err := d.o.Config.announceAt(); err == nil && at == nil {
		return doctor.Announced{Why: "homekit.listen is a loopback address: only this machine reaches it, and nothing is announced"}, nil
	}
	if _, err := d.node.Health(ctx); err != nil {
		return doctor.Announced{}, err
	}
	c := deviceapi.NewSocketClient(d.sock)
	defer c.Close()
	h, err := c.HomeKit(ctx)
	if err != nil {
		return doctor.Announced{}, err
	}
	out := doctor.Announced{Why: h.Trouble}
	for i := range h.Bridges {
		b := &h.Bridges[i]
		sf := "0"
		if !b.Paired {
			sf = "1"
		}
		out.Services = append(out.Services, doctor.Service{
			Type: homekit.ServiceType, Instance: b.Name, Port: b.Port, Identity: "id",
			TXT: []doctor.Entry{{Key: "id", Value: b.ID}, {Key: "sf", Value: sf}, {Key: "c#"}, {Key: "s#", Value: "1"}, {Key: "pv"}, {Key: "md"}, {Key: "ci"}},
		})
	}
	return out, nil
}

// addresses are those of this machine, and those that stand for it where it is announced.
func (d *patient) addresses() ([]netip.Addr, error) {
	list, err := doctor.Addresses()
	for _, a := range d.o.Config.MDNS.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil { // else the configuration is refused
			list = append(list, ip)
		}
	}
	return list, err
}

// ports lists the addresses that the node takes, by their keys in the configuration.
func (d *patient) ports(more []DoctorPort) []doctor.Port {
	c := &d.o.Config
	mqtt := c.MQTT.Listen
	if c.MQTT.Broker != "" {
		mqtt = "" // it has no effect
	}
	var ports []doctor.Port
	for _, p := range []struct{ key, address, optional string }{
		{"mqtt.listen", mqtt, ""},
		{"homekit.listen", c.HomeKit.Listen, ""},
		{"local.listen", c.Local.Listen, "under twinbridge up the hub has the page"},
		{"metrics.listen", c.Metrics.Listen, ""},
	} {
		ports = append(ports, doctor.Port{
			Key: p.key, Network: "tcp", Address: p.address, Optional: p.optional, Who: "the node",
			Process: func(ctx context.Context) (int, error) {
				h, err := d.node.Health(ctx)
				return h.PID, err
			},
		})
	}
	for _, p := range more {
		ports = append(ports, doctor.Port{Key: p.Key, Network: "tcp", Address: p.Address, Who: p.Who, Process: func(ctx context.Context) (int, error) {
			return listening(ctx, p.Socket)
		}})
	}
	return ports
}
