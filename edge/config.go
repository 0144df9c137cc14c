package edge

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"

	"twinbridge/edge/local"
	"twinbridge/twin"
)

// Config is what stands in twinbridge.yaml.
type Config struct {
	Node    NodeConfig    `yaml:"node" doc:"The edge node."`
	MQTT    MQTTConfig    `yaml:"mqtt" doc:"MQTT, which mappers speak."`
	Mapper  MapperSection `yaml:"mapper" doc:"The mapper that moves this node's own devices."`
	Devices DevicesConfig `yaml:"devices" doc:"Devices that this node defines itself."`
	HomeKit HomeKitConfig `yaml:"homekit" doc:"The bridge to Apple's Home app and Siri."`
	MDNS    MDNSConfig    `yaml:"mdns" doc:"How this node is announced in the local network, for phones and speakers to find it."`
	Local   LocalConfig   `yaml:"local" doc:"The node's own page for the browser."`
	Metrics MetricsConfig `yaml:"metrics" doc:"Numbers for Prometheus. They can also be read through the socket: curl --unix-socket edge.sock http://edge/metrics"`
	Log     LogConfig     `yaml:"log" doc:"What is written to standard error."`
}

// NodeConfig is about the node itself.
type NodeConfig struct {
	Name string `yaml:"name" doc:"Name of the node, unique among the nodes of a hub"`
}

// MQTTConfig is about the broker in this process, and about the one that a mapper speaks to.
type MQTTConfig struct {
	Listen      string `yaml:"listen" doc:"Address of the broker in this process, host:port; port 0 takes any free one. On a loopback address everybody may connect; elsewhere user and password are needed. Without effect if mqtt.broker is set"`
	Broker      string `yaml:"broker" doc:"Broker elsewhere that node and mapper speak to, as tcp://host:port or ssl://host:port; then there is none in this process. None means the one in this process, and for a mapper in a process of its own the address of mqtt.listen"`
	User        string `yaml:"user" doc:"User that a client has to name to the broker in this process, and that node and mapper name to a broker; none means that nobody has to"`
	Password    string `yaml:"password" doc:"Password of that user. This file must then not be readable by others"`
	CA          string `yaml:"ca" doc:"File with the certificates (PEM) that vouch for a broker with ssl://; none means those of the system"`
	Certificate string `yaml:"certificate" doc:"File with the certificate (PEM) that this side shows: the broker in this process to its clients, which then speak TLS, or node and mapper to a broker with ssl://; none means none"`
	Key         string `yaml:"key" doc:"File with the private key (PEM) of that certificate, not readable by others"`
}

// MapperSection is about the mapper in this process.
type MapperSection struct {
	Enabled bool     `yaml:"enabled" doc:"Whether this process moves devices; if not, start twinbridge mapper or another mapper beside it"`
	Drivers []string `yaml:"drivers" doc:"Drivers that the mapper may use: gpio (lines of the kernel), rpio (registers of older Raspberry Pis), sim (devices that exist in memory only)"`
}

// DevicesConfig is about manifests.
type DevicesConfig struct {
	Folder string `yaml:"folder" doc:"Folder of KubeEdge manifests (YAML or JSON), read at the start and at each change; none means devices in the data folder"`
}

// HomeKitConfig is about HomeKit.
type HomeKitConfig struct {
	Listen  string `yaml:"listen" doc:"Address of the bridge, host:port; none means no HomeKit. On a loopback address it is not announced, unless mdns.interfaces says where"`
	Name    string `yaml:"name" doc:"Name of the bridge in the Home app; none means twinbridge and the node's name"`
	Bridges int    `yaml:"bridges" doc:"Number of bridges, on the port of homekit.listen and those after it. Each holds 149 devices and is paired by itself"`
}

// MDNSConfig is about the responder that HomeKit needs.
type MDNSConfig struct {
	Interfaces []string `yaml:"interfaces" doc:"Interfaces on which this node is announced; none means all that can"`
	Addresses  []string `yaml:"addresses" doc:"Addresses that are announced in the place of the interfaces' own, as in a container"`
}

// LocalConfig is about the page.
type LocalConfig struct {
	Listen string `yaml:"listen" doc:"Address of the page, host:port on loopback, as there is no TLS on it; port 0 takes any free one, none means no page. The code that opens it is printed at the start"`
}

// MetricsConfig is about the numbers.
type MetricsConfig struct {
	Listen string `yaml:"listen" doc:"Address where /metrics and /healthz are served without a login, as 127.0.0.1:9464; none means nowhere"`
}

// LogConfig is about the log.
type LogConfig struct {
	Level Level `yaml:"level" doc:"debug, info, warn or error"`
}

// Level is the least level that is logged.
type Level slog.Level

// MarshalText gives the word.
func (l Level) MarshalText() ([]byte, error) {
	return []byte(strings.ToLower(slog.Level(l).String())), nil
}

// UnmarshalText reads debug, info, warn or error.
func (l *Level) UnmarshalText(b []byte) error {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[string(b)]
	if !ok {
		return errors.New("debug, info, warn or error")
	}
	*l = Level(level)
	return nil
}

// MapperConfig is what a mapper in a process of its own is told.
type MapperConfig struct {
	Node        string
	Broker      string
	User        string
	Password    string
	CA          string
	Certificate string // shown to the broker
	Key         string
	// Own is the certificate of the node's own broker. It is trusted as it is, whatever the name under which the broker is
	// reached.
	Own     string
	Drivers []string
}

// driverNames are the drivers that there are.
var driverNames = []string{"gpio", "rpio", "sim"}

// Defaults is the configuration of a node that nobody configured.
func Defaults() Config {
	return Config{
		Node:    NodeConfig{Name: hostName()},
		MQTT:    MQTTConfig{Listen: "127.0.0.1:1883"},
		HomeKit: HomeKitConfig{Listen: ":51827", Bridges: 1},
		MDNS:    MDNSConfig{Interfaces: []string{}, Addresses: []string{}},
		Local:   LocalConfig{Listen: "127.0.0.1:8090"},
		Mapper:  MapperSection{Enabled: true, Drivers: slices.Clone(driverNames)},
		Log:     LogConfig{Level: Level(slog.LevelInfo)},
	}
}

// hostName is the machine's name as far as it can be the name of a node.
func hostName() string {
	name, err := os.Hostname()
	if err == nil && checkNode(name) == nil {
		return name
	}
	return "edge"
}

func checkNode(name string) error {
	if err := (twin.Name{Namespace: "node", Name: name}).Validate(); err != nil {
		return &twin.FieldError{Field: "node.name", Value: name, Want: "1 to 128 bytes without '/', '+', '#', spaces or control characters"}
	}
	return nil
}

// Check reports values that can never work.
func (c *Config) Check() error {
	if err := checkNode(c.Node.Name); err != nil {
		return err
	}
	if err := c.MQTT.check(); err != nil {
		return err
	}
	if err := c.HomeKit.check(); err != nil {
		return err
	}
	if err := c.MDNS.check(); err != nil {
		return err
	}
	if f, ok := asField(local.CheckPage(c.Local.Listen)); ok {
		return &twin.FieldError{Field: "local.listen", Value: f.Value, Want: f.Want}
	}
	for _, d := range c.Mapper.Drivers {
		if !slices.Contains(driverNames, d) {
			return &twin.FieldError{Field: "mapper.drivers", Value: d, Want: "some of " + strings.Join(driverNames, ", ")}
		}
	}
	return nil
}

// CheckFile reports that the file of this configuration gives a secret away to everybody on the machine.
func (c *Config) CheckFile(path string) error {
	if c.MQTT.Password == "" {
		return nil
	}
	return checkSecret(path, "mqtt.password stands in it")
}

func (c *MQTTConfig) check() error {
	switch {
	case c.Listen == "" && c.Broker == "":
		return &twin.FieldError{Field: "mqtt.listen", Value: "", Want: "host:port, as 127.0.0.1:1883"}
	case c.User == "" && c.Password != "":
		return &twin.FieldError{Field: "mqtt.user", Value: "", Want: "a user, as mqtt.password is set"}
	case c.Certificate != "" && c.Key == "":
		return &twin.FieldError{Field: "mqtt.key", Value: "", Want: "a file, as mqtt.certificate is set"}
	case c.Certificate == "" && c.Key != "":
		return &twin.FieldError{Field: "mqtt.certificate", Value: "", Want: "a file, as mqtt.key is set"}
	}
	return nil
}

// ForMapper gives what a mapper in a process of its own needs.
func (c *Config) ForMapper() MapperConfig {
	m := MapperConfig{
		Node: c.Node.Name, Broker: c.MQTT.Broker, User: c.MQTT.User, Password: c.MQTT.Password, CA: c.MQTT.CA,
		Drivers: c.Mapper.Drivers,
	}
	if m.Broker == "" {
		m.Broker, m.Own = c.MQTT.scheme()+c.MQTT.Listen, c.MQTT.Certificate
	} else {
		m.Certificate, m.Key = c.MQTT.Certificate, c.MQTT.Key
	}
	return m
}

// scheme is how the broker in this process is spoken to.
func (c *MQTTConfig) scheme() string {
	if c.Certificate != "" {
		return "ssl://"
	}
	return "tcp://"
}
