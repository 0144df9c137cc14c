//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"
)

const (
	program  = "/twinbridge"
	data     = "/tmp/house"     // on the RAM disk of the emulated board, never on the machine that runs it
	patience = 20 * time.Second // the board is emulated
)

// manifest defines a lamp on the kernel's lines and one on the registers.
const manifest = `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: lamp, namespace: default}
spec:
  properties:
    - {name: powerstatus, type: STRING, accessMode: ReadWrite}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: lamp, namespace: default}
spec:
  deviceModelRef: {name: lamp}
  protocol: {protocolName: gpio}
  properties:
    - name: powerstatus
      visitors: {protocolName: gpio, configData: {line: "pin:11"}}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: legacy, namespace: default}
spec:
  deviceModelRef: {name: lamp}
  protocol: {protocolName: rpio}
  properties:
    - name: powerstatus
      visitors: {protocolName: rpio, configData: {line: "pin:15", activeLow: true}}
`

// edge is a running twinbridge, as a user runs it.
type edge struct {
	cmd  *exec.Cmd
	log  bytes.Buffer
	mqtt string // address of its broker
}

// withEdge starts an edge on the one data folder, works with it, and ends it with a signal.
func withEdge(sig os.Signal, do func(*edge) error) error {
	if err := loopback(); err != nil {
		return fmt.Errorf("bring up the loopback interface: %w", err)
	}
	folder := filepath.Join(data, "devices")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "lamps.yaml"), []byte(manifest), 0o600); err != nil {
		return err
	}
	e := &edge{cmd: exec.Command(program, "edge", "--data", data)}
	e.cmd.Env = append(os.Environ(), "HOME=/tmp")
	e.cmd.Stderr = &e.log
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := e.cmd.Start(); err != nil {
		return err
	}
	limit := time.AfterFunc(3*patience, func() { e.cmd.Process.Kill() })
	defer limit.Stop()
	err = e.ready(out)
	if err == nil {
		go io.Copy(io.Discard, out)
		err = do(e)
	}
	e.cmd.Process.Signal(sig)
	if waitErr := e.cmd.Wait(); sig == syscall.SIGTERM && waitErr != nil {
		err = errors.Join(err, fmt.Errorf("after %v: %w", sig, waitErr))
	}
	if err != nil {
		return fmt.Errorf("%w\nlog of twinbridge:\n%s", err, e.log.String())
	}
	return nil
}

// ready reads up to the line that tells the addresses.
func (e *edge) ready(out io.Reader) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "ready: mqtt "); ok {
			e.mqtt, _, _ = strings.Cut(rest, ",")
			fmt.Println("NOTE edge:", lines.Text())
			return nil
		}
	}
	return fmt.Errorf("twinbridge ended before it was ready: %w", lines.Err())
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// client connects to the edge's broker.
func (e *edge) client() (paho.Client, error) {
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + e.mqtt).SetClientID("somebody"))
	t := c.Connect()
	if !t.WaitTimeout(patience) {
		return nil, errors.New("the broker does not answer")
	}
	return c, t.Error()
}

func wish(c paho.Client, device, value string) error {
	t := c.Publish("$hw/events/device/default/"+device+"/twin/update", 0, false,
		`{"event_id":"","timestamp":0,"twin":{"powerstatus":{"expected":{"value":"`+value+`"}}}}`)
	if !t.WaitTimeout(patience) {
		return errors.New("the broker does not take the wish")
	}
	return t.Error()
}

// becomes looks at a line's level until it is what it should be.
func becomes(line, level int) error {
	mem, err := registers()
	if err != nil {
		return err
	}
	defer unix.Munmap(mem)
	for deadline := time.Now().Add(patience); ; {
		if levelOf(mem, line) == level && isOutput(mem, line) {
			return nil
		}
		if time.Now().After(deadline) {
			return want(line, level)
		}
		time.Sleep(20 * time.Microsecond)
	}
}

func edgeByMQTT() error {
	return withEdge(syscall.SIGTERM, func(e *edge) error {
		c, err := e.client()
		if err != nil {
			return err
		}
		defer c.Disconnect(0)
		var times []time.Duration
		for i := range 51 {
			on := (i + 1) % 2
			start := time.Now()
			if err := wish(c, "lamp", [2]string{"OFF", "ON"}[on]); err != nil {
				return err
			}
			if err := becomes(17, on); err != nil {
				return fmt.Errorf("wish %d: %w", i, err)
			}
			times = append(times, time.Since(start))
			if i == 0 {
				if err := wantDebug(17, on, "twinbridge default/l"); err != nil {
					return err
				}
			}
		}
		slices.Sort(times)
		fmt.Printf("NOTE edge: from an MQTT wish to the line's level: p50 %v, max %v\n", times[len(times)/2], times[len(times)-1])
		return nil // the lamp is on
	})
}

// edgeRestores: nobody wishes anything, and the lamp shines again.
func edgeRestores() error {
	return withEdge(syscall.SIGKILL, func(e *edge) error {
		if err := errors.Join(becomes(17, 1), wantDebug(17, 1, "twinbridge default/l")); err != nil {
			return err
		}
		for _, on := range []int{0, 1} {
			outcome, err := e.patch("lamp", [2]string{"OFF", "ON"}[on])
			if err != nil {
				return err
			}
			if outcome != "applied" {
				return fmt.Errorf("PATCH: outcome %q; want applied", outcome)
			}
			if err := want(17, on); err != nil {
				return fmt.Errorf("told as applied: %w", err)
			}
		}
		return nil // killed with the lamp on
	})
}

func edgeAfterKill() error {
	return withEdge(syscall.SIGTERM, func(e *edge) error {
		if err := becomes(17, 1); err != nil {
			return fmt.Errorf("after kill -9: %w", err)
		}
		c, err := e.client()
		if err != nil {
			return err
		}
		defer c.Disconnect(0)
		for _, on := range []int{1, 0, 1} {
			if err := wish(c, "legacy", [2]string{"OFF", "ON"}[on]); err != nil {
				return err
			}
			if err := errors.Join(becomes(22, 1-on), kernelReads(22, 1-on)); err != nil {
				return fmt.Errorf("rpio: %w", err)
			}
		}
		return nil
	})
}

// patch asks for a value over REST and waits for the outcome.
func (e *edge) patch(device, value string) (outcome string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(data, "edge.sock"))
	}}
	defer tr.CloseIdleConnections()
	rq, err := http.NewRequestWithContext(ctx, http.MethodPatch, "http://edge/v1/devices/default/"+device+"/expected?wait=10s",
		strings.NewReader(`{"expected":{"powerstatus":"`+value+`"}}`))
	if err != nil {
		return "", err
	}
	rq.Header.Set("Content-Type", "application/json")
	rs, err := tr.RoundTrip(rq)
	if err != nil {
		return "", err
	}
	defer rs.Body.Close()
	body, err := io.ReadAll(io.LimitReader(rs.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var w struct{ Outcome string }
	if err := json.Unmarshal(body, &w); err != nil {
		return "", fmt.Errorf("PATCH: %s: %w", body, err)
	}
	return w.Outcome, nil
}
