package homekit

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"twinbridge/bridge/homekit/database"
	"twinbridge/twin"
)

// about is what the accessory information tells (HAP R2, 8.1). HomeKitADK's bounds: 64 bytes each, a serial number of
// at least 2, a firmware revision as x[.y[.z]].
type about struct{ name, manufacturer, model, serial, firmware string }

const maxText = 64

// maker stands where nobody says who made a device.
const maker = "twinbridge"

var revision = regexp.MustCompile(`^[0-9]+(\.[0-9]+){0,2}`)

// clean keeps what all of them may be; otherwise is used where nothing is left.
func clean(s, otherwise string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > maxText {
		s = s[:maxText]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s = strings.TrimSpace(s)
	}
	if s == "" {
		return otherwise
	}
	return s
}

// firmware gives the numbers at the beginning of a version.
func firmware(s string) string {
	if v := revision.FindString(strings.TrimPrefix(s, "v")); v != "" && len(v) <= maxText {
		return v
	}
	return "0"
}

// aboutDevice finds what the static attributes and the definition say.
func aboutDevice(d *twin.Resolved) about {
	at := d.Policy.Attributes
	first := func(keys ...string) string {
		for _, k := range keys {
			if at[k] != "" {
				return at[k]
			}
		}
		return ""
	}
	name := clean(d.Policy.Title, clean(d.Name.Name, "Device"))
	serial := clean(first("serial", "serialNumber", "serial-number", "mac", "MAC"), "")
	if len(serial) < 2 {
		serial = clean(d.Name.String(), "00")
	}
	return about{
		name: name, manufacturer: clean(first("manufacturer"), maker), model: clean(first("model"), clean(d.Model.Name, "Device")),
		serial: serial, firmware: firmware(first("firmware", "firmwareRevision", "firmware-revision", "version")),
	}
}

// The parts of the accessory information; instance id 1 is its service (HAP R2, 2.6.2).
func (a about) service(id func(string) uint64) database.Service {
	s := database.Service{IID: id("info"), Type: service.TypeAccessoryInformation}
	for _, c := range []struct {
		key string
		c   database.Characteristic
	}{
		{"info/identify", from(characteristic.NewIdentify().C)},
		{"info/manufacturer", fixed(characteristic.NewManufacturer().C, a.manufacturer)},
		{"info/model", fixed(characteristic.NewModel().C, a.model)},
		{"info/name", fixed(characteristic.NewName().C, a.name)},
		{"info/serial", fixed(characteristic.NewSerialNumber().C, a.serial)},
		{"info/firmware", fixed(characteristic.NewFirmwareRevision().C, a.firmware)},
	} {
		c.c.IID = id(c.key)
		s.Characteristics = append(s.Characteristics, c.c)
	}
	return s
}

// infoKeys are the keys of the accessory information; the first of them is given instance id 1, the second 2.
var infoKeys = []string{"info", "info/identify", "info/manufacturer", "info/model", "info/name", "info/serial", "info/firmware"}

// bridgeAccessory is the bridge itself. Its instance ids are the places in infoKeys and, after them, the protocol
// information: they never change.
func bridgeAccessory(a about) database.Accessory {
	next := map[string]uint64{}
	for i, k := range append(infoKeys[:len(infoKeys):len(infoKeys)], "protocol", "protocol/version") {
		next[k] = uint64(i + 1)
	}
	id := func(key string) uint64 { return next[key] }
	version := fixed(characteristic.NewVersion().C, protocolVersion)
	version.IID = id("protocol/version")
	return database.Accessory{AID: 1, Services: []database.Service{
		a.service(id),
		{IID: id("protocol"), Type: service.TypeProtocolInformation, Characteristics: []database.Characteristic{version}},
	}}
}

// protocolVersion is the version of HAP of the protocol information (HAP R2, 8.17).
const protocolVersion = "1.1.0"
