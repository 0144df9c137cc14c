package doctor

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestCheckPort(t *testing.T) {
	listens := func(addr string, pid int, program string) []Listener {
		return []Listener{{Addr: netip.MustParseAddrPort(addr), PID: pid, Program: program}}
	}
	const own = 7
	const loopback = "127.0.0.1:1883"
	is := func(pid int, err error) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { return pid, err }
	}
	runs, ends, unknown := is(own, nil), is(0, ErrNotRunning), is(0, errOther)
	for name, tt := range map[string]struct {
		address   string
		process   func(context.Context) (int, error)
		listeners []Listener
		optional  string
		low       int
		err       error
		want      want
	}{
		"ours":              {address: loopback, process: runs, listeners: listens(loopback, own, "twinbridge"), want: want{OK, "tcp 127.0.0.1:1883: the node listens", ""}},
		"all addresses":     {address: ":1883", process: runs, listeners: listens("[::]:1883", own, "twinbridge"), want: want{OK, "the node listens", ""}},
		"ours and another":  {address: ":1883", process: runs, listeners: append(listens("127.0.0.1:1883", 9, "x"), listens("[::]:1883", own, "twinbridge")...), want: want{OK, "the node listens", ""}},
		"taken":             {address: loopback, process: ends, listeners: listens("0.0.0.0:1883", 99, "mosquitto"), want: want{Fail, "mosquitto (process 99) has it", "mqtt.listen"}},
		"taken, unknown":    {address: loopback, process: ends, listeners: listens(loopback, 0, ""), want: want{Fail, "a program of another user", "mqtt.listen"}},
		"another's":         {address: loopback, process: runs, listeners: listens(loopback, 99, "mosquitto"), want: want{Fail, "mosquitto (process 99) listens, not the node", "mqtt.listen"}},
		"cannot see whose":  {address: loopback, process: runs, listeners: listens(loopback, 0, ""), want: want{OK, "only root can see", ""}},
		"cannot ask":        {address: loopback, process: unknown, listeners: listens(loopback, 99, "x"), want: want{Warn, "could not be asked", ""}},
		"free":              {address: loopback, process: ends, want: want{OK, "free", ""}},
		"another port":      {address: loopback, process: ends, listeners: listens("127.0.0.1:1884", 99, "x"), want: want{OK, "free", ""}},
		"another address":   {address: loopback, process: ends, listeners: listens("192.0.2.7:1883", 99, "x"), want: want{OK, "free", ""}},
		"another family":    {address: loopback, process: ends, listeners: listens("[::1]:1883", 99, "x"), want: want{OK, "free", ""}},
		"nobody":            {address: loopback, process: runs, want: want{Fail, "nobody listens, and the node runs", "--config"}},
		"nobody, may be":    {address: loopback, process: runs, optional: "under up", want: want{OK, "under up", ""}},
		"nobody, not asked": {address: loopback, process: unknown, want: want{Skipped, "could not be asked", ""}},
		"low port":          {address: "127.0.0.1:80", process: ends, low: 1024, want: want{Fail, "need root", "higher port"}},
		"low port, root":    {address: "127.0.0.1:80", process: ends, want: want{OK, "free", ""}},
		"own address":       {address: "192.0.2.7:1883", process: ends, want: want{OK, "free", ""}},
		"strange address":   {address: "192.0.2.8:1883", process: ends, want: want{Fail, "no address 192.0.2.8", ":1883"}},
		"by name":           {address: "localhost:1883", process: ends, listeners: listens(loopback, 99, "x"), want: want{Fail, "has it", ""}},
		"unknown name":      {address: "nowhere:1883", process: ends, want: want{Fail, "has no address", "IP address"}},
		"off":               {address: "", process: runs, want: want{Skipped, "switched off", ""}},
		"any port":          {address: "127.0.0.1:0", process: runs, want: want{Skipped, "any free port", ""}},
		"no port":           {address: "127.0.0.1", process: runs, want: want{Fail, "is no address", "host:port"}},
		"kernel is silent":  {address: loopback, process: runs, err: errOther, want: want{Skipped, "something else", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Port{Key: "mqtt.listen", Network: "tcp", Address: tt.address, Optional: tt.optional, Who: "the node", Process: tt.process}
			tt.want.check(t, look(t, CheckPort(p, PortProbes{
				Listeners: func(string) ([]Listener, error) { return tt.listeners, tt.err },
				Addresses: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil },
				Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
					if host == "localhost" {
						return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
					}
					return nil, errors.New("no such host")
				},
				LowPorts: func() int { return tt.low },
			})))
		})
	}
}

// TestListeners: the kernel tells of our own sockets, whose they are.
func TestListeners(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		u, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		for network, addr := range map[string]string{"tcp": l.Addr().String(), "udp": u.LocalAddr().String()} {
			all, err := Listeners(network)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(all, func(l Listener) bool { return l.Addr.String() == addr })
			if i < 0 || all[i].PID != os.Getpid() || all[i].Program == "" {
				t.Errorf("%s %s is not among %v as ours", network, addr, all)
			}
		}
	}
	if n := LowPorts(); n < 0 || n > 65535 {
		t.Errorf("first port without a right: %d", n)
	}
}

const procTCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 ffff8881 100 0 0 10 0
   1: 0100007F:075B 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 ffff8881 20 4 30 10 -1
`

const procTCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 000080FE00000000FF00FC00010000FE:20FB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 ffff 100 0 0 10 0
`

func TestParseSockets(t *testing.T) {
	if !littleEndian {
		t.Log("the sample is of a machine with the other byte order")
		return
	}
	for text, want := range map[string]listed{
		procTCP:  {netip.MustParseAddrPort("127.0.0.1:1883"), 4711},
		procTCP6: {netip.MustParseAddrPort("[fe80::fc:ff:fe00:1]:8443"), 99},
	} {
		if got := parseSockets([]byte(text), stateListen); len(got) != 1 || got[0] != want {
			t.Errorf("got %v, want %v", got, want)
		}
		for i := range len(text) {
			for _, l := range parseSockets([]byte(text[:i]), stateListen) {
				if l.addr != want.addr {
					t.Errorf("the first %d bytes give %v", i, l)
				}
			}
		}
	}
}

func FuzzSockets(f *testing.F) {
	f.Add([]byte(procTCP))
	f.Add([]byte(procTCP6))
	f.Add([]byte("0: 0100007F:075B:1 0 0A 0 0 0 0 0 1\n0: 0100007F 0 0A 0 0 0 0 0 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list := parseSockets(text, stateListen)
		if len(list) > bytes.Count(text, []byte("\n"))+1 {
			t.Errorf("%d sockets of %d lines", len(list), bytes.Count(text, []byte("\n"))+1)
		}
		for _, l := range list {
			if !l.addr.IsValid() {
				t.Errorf("no address: %v", l)
			}
		}
	})
}
