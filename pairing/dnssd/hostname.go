package dnssd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"os"
	"slices"
	"strings"
)

// machineHost makes a label for the host: the machine's name, so that people know it, and a few letters that no other
// responder of the machine puts there, so that ours is never the name that Avahi gives out and takes back.
func machineHost() string {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return hostFrom(name, machineID())
}

func hostFrom(name string, id []byte) string {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	const most = 40
	name = strings.Trim(name[:min(len(name), most)], "-")
	if name == "" {
		name = "twinbridge"
	}
	sum := sha256.Sum256(append([]byte("twinbridge dnssd host\x00"), id...))
	return name + "-" + hex.EncodeToString(sum[:3])
}

// machineID gives something that is this machine's alone and stays: the id of its installation, or else the smallest
// hardware address. It leaves the machine as a short hash only (machine-id(5)).
func machineID() []byte {
	if f, err := os.Open("/etc/machine-id"); err == nil {
		defer f.Close()
		if b, err := io.ReadAll(io.LimitReader(f, 64)); err == nil && len(bytes.TrimSpace(b)) >= 32 {
			return bytes.TrimSpace(b)
		}
	}
	var macs [][]byte
	if list, err := net.Interfaces(); err == nil {
		for _, i := range list {
			if len(i.HardwareAddr) > 0 {
				macs = append(macs, i.HardwareAddr)
			}
		}
	}
	if len(macs) == 0 {
		return nil
	}
	return slices.MinFunc(macs, bytes.Compare)
}
