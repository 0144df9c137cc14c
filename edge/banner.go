package edge

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbridge/twin"
)

// addresses are those that were taken, as they really are; "" for what is switched off.
type addresses struct{ mqtt, page, code, metrics string }

// banner tells a person what runs, how to switch a lamp in three ways, and where things lie. Its last line, which begins
// with "ready:", is for programs: the addresses as they really are.
func (o *Options) banner(store *twin.Store, at addresses, hands *hands, devices string) {
	var b strings.Builder
	names := store.Devices()
	fmt.Fprintf(&b, "\ntwinbridge %s, node %s\n", o.Version, o.Config.Node.Name)
	if at.page != "" {
		fmt.Fprintf(&b, "page http://%s/  (code %s)\n", at.page, at.code)
	}
	ports := o.pairingLines(&b, hands)
	name, property, ok := lampOf(store, names)
	if ok {
		o.switches(&b, name, property, at.mqtt)
	} else if len(names) > 0 {
		fmt.Fprintf(&b, "\nLook at the devices from another terminal:\n    %s device list%s\n", o.Program, o.dataFlag())
	} else {
		fmt.Fprintf(&b, "\nNo device is defined yet. Put a manifest into %s, or\n    %s apply -f FILE%s\n", devices, o.Program, o.dataFlag())
	}
	more := ""
	if o.Also != nil {
		var lines string
		lines, more = o.Also(name, property)
		b.WriteString(lines)
	}
	fmt.Fprintf(&b, "\nDevices are defined in %s (edit them while this runs),\nthe configuration is %s, the state %s.\nCtrl-C stops.\n\n",
		devices, o.File, filepath.Join(o.Data, storeName))
	fmt.Fprintf(&b, "ready: mqtt %s, socket %s", at.mqtt, Socket(o.Data))
	if at.page != "" {
		fmt.Fprintf(&b, ", page http://%s", at.page)
	}
	if at.metrics != "" {
		fmt.Fprintf(&b, ", metrics http://%s/metrics", at.metrics)
	}
	if ports != "" {
		fmt.Fprintf(&b, ", homekit %s", ports)
	}
	if more != "" {
		b.WriteString(", " + more)
	}
	fmt.Fprintf(&b, ", %s, %d ms after the start\n", plural(len(names), "device"), time.Since(o.Started).Milliseconds())
	fmt.Fprint(o.Out, b.String())
}

// pairingLines prints the codes of bridges that nobody has paired with, and gives the ports of all.
func (o *Options) pairingLines(b *strings.Builder, hands *hands) (ports string) {
	if hands.bridge == nil {
		return ""
	}
	for _, s := range hands.bridge.State().Sides {
		if ports != "" {
			ports += " "
		}
		ports += strconv.Itoa(s.Port)
		if s.Paired {
			fmt.Fprintf(b, "HomeKit: %s is paired\n", s.Name)
			continue
		}
		code, err := PairingCode(o.Out, s.Code, s.Payload)
		if err != nil {
			o.Log.Error("HomeKit: pairing code", "err", err)
			continue
		}
		fmt.Fprintf(b, "\nHomeKit: %s\n%s", s.Name, code)
	}
	return ports
}

// switches prints lines that can be pasted into a shell.
func (o *Options) switches(b *strings.Builder, name twin.Name, property, mqtt string) {
	bare := name.String()
	if name.Namespace == twin.DefaultNamespace {
		bare = name.Name
	}
	host, port, err := net.SplitHostPort(reachable(mqtt))
	if err != nil {
		host, port = mqtt, "1883"
	}
	address := ""
	if host != "127.0.0.1" && host != "::1" {
		address = " -h " + host
	}
	if port != "1883" {
		address += " -p " + port
	}
	address += o.switchTLS()
	if o.Config.MQTT.User != "" {
		address += " -u " + Quote(o.Config.MQTT.User) + " -P PASSWORD"
	}
	update := fmt.Sprintf(`{"event_id":"","timestamp":0,"twin":{%q:{"expected":{"value":"OFF"},"metadata":{"type":"Updated"}}}}`, property)
	fmt.Fprintf(b, "\nSwitch %s from another terminal:\n", name)
	fmt.Fprintf(b, "    %s device set %s %s=ON --wait 5s%s\n", o.Program, Quote(bare), property, o.dataFlag())
	fmt.Fprintf(b, "    curl --unix-socket %s -X PATCH -H 'Content-Type: application/json' -d '{\"expected\":{%q:\"OFF\"}}' %s\n",
		Quote(Socket(o.Data)), property, Quote("http://edge/v1/devices/"+name.String()+"/expected?wait=5s"))
	// A broker in this process with TLS has a name that only the owner of its certificate knows how to reach.
	if o.Config.MQTT.Broker != "" || o.Config.MQTT.Certificate == "" {
		fmt.Fprintf(b, "    mosquitto_pub%s -t %s -m %s\n", address, Quote("$hw/events/device/"+name.String()+"/twin/update"), Quote(strings.Replace(update, "OFF", "ON", 1)))
	}
	fmt.Fprintf(b, "Follow it:\n    %s device watch%s\n", o.Program, o.dataFlag())
}

// switchTLS gives what mosquitto_pub has to be told of an ssl:// broker elsewhere.
func (o *Options) switchTLS() string {
	m := &o.Config.MQTT
	if u, err := url.Parse(m.Broker); err != nil || !slices.Contains([]string{"ssl", "tls", "mqtts"}, u.Scheme) {
		return ""
	}
	text := " --capath /etc/ssl/certs"
	if m.CA != "" {
		text = " --cafile " + Quote(m.CA)
	}
	if m.Certificate != "" {
		text += " --cert " + Quote(m.Certificate) + " --key " + Quote(m.Key)
	}
	return text
}

func (o *Options) dataFlag() string {
	if o.DataArg == "" {
		return ""
	}
	return " --data " + Quote(o.DataArg)
}

// lampOf finds a device to show: the first with a property that takes ON and OFF.
func lampOf(store *twin.Store, names []twin.Name) (twin.Name, string, bool) {
	const most = 1000 // devices that are looked at
	for _, name := range names[:min(len(names), most)] {
		v, err := store.Device(name)
		if err != nil {
			continue
		}
		for _, p := range v.Device.Props {
			if p.Access == twin.ReadWrite && p.Check(twin.StringValue("ON")) == nil && p.Check(twin.StringValue("OFF")) == nil && len(p.Enum) > 0 {
				return name, p.Name, true
			}
		}
	}
	return twin.Name{}, "", false
}

// Quote makes a word that a shell takes as it is.
func Quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
