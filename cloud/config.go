package cloud

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"twinbridge/twin"
)

// Config is what stands in twinbridge.yaml about the hub.
type Config struct {
	Hub HubConfig `yaml:"hub" doc:"The hub in the cloud: where it listens, and where it is reached."`
}

// HubConfig is about the hub.
type HubConfig struct {
	URL    string   `yaml:"url" doc:"Where the hub is reached, as https://hub.example:8443. The command line asks there; at the hub it stands in join tokens, and at a node it is used in the place of the addresses in its token. None means the machine's own addresses"`
	Listen string   `yaml:"listen" doc:"Address of the hub, host:port, over TLS: the link of the nodes, REST and the page; port 0 takes any free one"`
	Plain  string   `yaml:"plain" doc:"Address on this machine where REST and the page are served without TLS; none means nowhere"`
	Names  []string `yaml:"names" doc:"Further names and IP addresses that stand in the hub's certificate, for browsers"`
}

// Defaults is the configuration of a hub that nobody configured.
func Defaults() Config {
	return Config{Hub: HubConfig{Listen: ":8443", Plain: "127.0.0.1:8080"}}
}

// Check reports values that can never work.
func (c *Config) Check() error {
	if c.Hub.Listen == "" {
		return &twin.FieldError{Field: "hub.listen", Value: "", Want: "host:port, as :8443"}
	}
	if _, err := c.address(); err != nil {
		return err
	}
	return nil
}

// address gives hub.url as nodes take it, https://host:port; "" if there is none.
func (c *Config) address() (string, error) {
	if c.Hub.URL == "" {
		return "", nil
	}
	bad := &twin.FieldError{Field: "hub.url", Value: c.Hub.URL, Want: "https://host:port without a path"}
	u, err := url.Parse(c.Hub.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "", bad
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return "https://" + net.JoinHostPort(u.Hostname(), port), nil
}

// Addresses gives where nodes find the hub if hub.url says so, else nil.
func (c *Config) Addresses() []string {
	a, err := c.address()
	if err != nil || a == "" {
		return nil
	}
	return []string{a}
}

// reached lists the addresses at which nodes may find a hub that listens at addr: what hub.url says, else those of the
// machine, loopback last.
func (c *Config) reached(addr string) []string {
	if list := c.Addresses(); list != nil {
		return list
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return []string{"https://" + addr}
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsUnspecified() {
		return []string{"https://" + addr}
	}
	var out []string
	for _, h := range append(machineHosts(), "127.0.0.1") {
		out = append(out, "https://"+net.JoinHostPort(h, port))
	}
	return out
}

// maxHosts bounds the names and addresses of a machine that are used.
const maxHosts = 7

// machineHosts lists the machine's name and its addresses, without loopback and link-local ones.
func machineHosts() []string {
	var out []string
	if name, err := os.Hostname(); err == nil && name != "localhost" && isHostName(name) {
		out = append(out, name)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return out
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if ok && n.IP.IsGlobalUnicast() && len(out) < maxHosts {
			out = append(out, n.IP.String())
		}
	}
	return out
}

// isHostName reports whether a machine's name can stand in a certificate.
func isHostName(s string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}
	return s != "" && len(s) <= 253 && strings.IndexFunc(s, odd) < 0 && !strings.HasPrefix(s, "-")
}

// hosts lists what stands in the hub's certificate, and under which browsers reach the hub.
func (c *Config) hosts() []string {
	out := machineHosts()
	if len(out) > 0 && isHostName(out[0]) && !strings.Contains(out[0], ".") {
		out = append(out, out[0]+".local") // as mDNS has it, and so phones in the house
	}
	out = append(out, c.Hub.Names...)
	for _, a := range append(c.Addresses(), c.Hub.Listen) {
		if host, _, err := net.SplitHostPort(strings.TrimPrefix(a, "https://")); err == nil && host != "" {
			out = append(out, host)
		}
	}
	return out
}
