//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/warthog618/go-gpiocdev"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/gpio"
	"twinbridge/edge/mapper/driver/rpio"
	"twinbridge/twin"
)

var checks = []struct {
	name string
	do   func() error
}{
	{"gpio switches the relay", gpioSwitches},
	{"gpio active low", gpioActiveLow},
	{"gpio finds line and chip", gpioFinds},
	{"gpio two relays in one write", gpioTwo},
	{"gpio busy line names its user", gpioBusy},
	{"gpio powerup", gpioPowerup},
	{"gpio says what the kernel will not keep", gpioKeep},
	{"gpio exit", gpioExit},
	{"gpio input", gpioInput},
	{"gpio write and read-back time", gpioTime},
	{"rpio switches the relay", rpioSwitches},
	{"rpio powerup and exit", rpioRests},
	{"rpio leaves the lines of others alone", rpioRespects},
	{"rpio refuses other lines", rpioRefuses},
	{"edge moves the relay on an MQTT wish", edgeByMQTT},
	{"edge restores the relay after a restart", edgeRestores},
	{"edge restores the relay after kill -9 and moves rpio", edgeAfterKill},
	{"gpio and rpio tell whose a line is", gpioLooks},
	{"doctor tells whose the lines of a node are", doctorSees},
}

// spec describes a device with one relay for each visitor configuration: powerstatus, powerstatus1, ...
func spec(config string, visitors ...string) mapper.Spec {
	s := mapper.Spec{Name: twin.Name{Namespace: "default", Name: "lamp"}, Config: json.RawMessage(config), Log: slog.New(slog.DiscardHandler)}
	for i, v := range visitors {
		name := "powerstatus"
		if i > 0 {
			name += fmt.Sprint(i)
		}
		s.Props = append(s.Props, twin.Property{
			Name: name, Type: twin.String, Enum: []string{"ON", "OFF"},
			Visitor: twin.Visitor{Config: json.RawMessage(v)},
		})
	}
	return s
}

// with opens a device, works with it, and closes it.
func with(d mapper.Driver, s mapper.Spec, do func(mapper.Device) error) error {
	dev, err := d.Open(context.Background(), s)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return errors.Join(do(dev), dev.Close())
}

// set writes a value and compares what the device then reads back.
func set(dev mapper.Device, prop, v string) error {
	ctx := context.Background()
	if err := dev.Write(ctx, map[string]twin.Value{prop: twin.StringValue(v)}); err != nil {
		return fmt.Errorf("write %s=%s: %w", prop, v, err)
	}
	got, err := dev.Read(ctx)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if got[prop].Text() != v {
		return fmt.Errorf("read back %s=%s; want %s", prop, got[prop], v)
	}
	return nil
}

func gpioSwitches() error {
	return with(gpio.Driver{}, spec("", `{"line":"pin:11"}`), func(dev mapper.Device) error {
		for _, on := range []int{1, 0, 1, 0, 1} {
			word := [2]string{"OFF", "ON"}[on]
			if err := errors.Join(set(dev, "powerstatus", word), want(17, on), wantDebug(17, on, "twinbridge default/l")); err != nil {
				return err
			}
		}
		return nil
	})
}

func gpioActiveLow() error {
	return with(gpio.Driver{}, spec("", `{"line":17,"activeLow":true}`), func(dev mapper.Device) error {
		return errors.Join(set(dev, "powerstatus", "ON"), want(17, 0), set(dev, "powerstatus", "OFF"), want(17, 1))
	})
}

func gpioFinds() error {
	for _, s := range []mapper.Spec{
		spec("", `{"line":"GPIO17"}`),
		spec(`{"chip":"pinctrl-bcm2835"}`, `{"line":17}`),
		spec(`{"chip":"gpiochip0"}`, `{"line":17}`),
		spec(`{"chip":"/dev/gpiochip0"}`, `{"line":"pin:11"}`),
	} {
		err := with(gpio.Driver{}, s, func(dev mapper.Device) error {
			return errors.Join(set(dev, "powerstatus", "ON"), want(17, 1), set(dev, "powerstatus", "OFF"), want(17, 0))
		})
		if err != nil {
			return fmt.Errorf("%s %s: %w", s.Config, s.Props[0].Visitor.Config, err)
		}
	}
	for _, c := range []struct {
		s    mapper.Spec
		want string
	}{
		{spec(`{"chip":"nowhere"}`, `{"line":17}`), `no GPIO chip "nowhere"; there is pinctrl-bcm2835`},
		{spec("", `{"line":"LAMP"}`), `no GPIO chip has a line named "LAMP"`},
		{spec("", `{"line":54}`), "has no line 54, its last is 53"},
	} {
		if err := wantError(gpio.Driver{}, c.s, c.want); err != nil {
			return err
		}
	}
	return nil
}

// wantError opens what cannot be opened.
func wantError(d mapper.Driver, s mapper.Spec, text string) error {
	dev, err := d.Open(context.Background(), s)
	if err == nil {
		dev.Close()
		return fmt.Errorf("open %s: got no error; want %q", s.Props[0].Visitor.Config, text)
	}
	if !strings.Contains(err.Error(), text) {
		return fmt.Errorf("open %s: got error %q; want %q", s.Props[0].Visitor.Config, err, text)
	}
	return nil
}

func gpioTwo() error {
	return with(gpio.Driver{}, spec("", `{"line":17}`, `{"line":27,"activeLow":true}`), func(dev mapper.Device) error {
		for _, on := range []int{1, 0, 1} {
			v := twin.StringValue([2]string{"OFF", "ON"}[on])
			if err := dev.Write(context.Background(), map[string]twin.Value{"powerstatus": v, "powerstatus1": v}); err != nil {
				return err
			}
			if err := errors.Join(want(17, on), want(27, 1-on)); err != nil {
				return err
			}
		}
		return nil
	})
}

// held asks the kernel for a line as a foreign program does.
func held(line, level int, do func(*gpiocdev.Line) error) error {
	l, err := gpiocdev.RequestLine("gpiochip0", line, gpiocdev.AsOutput(level), gpiocdev.WithConsumer("somebody else"))
	if err != nil {
		return fmt.Errorf("hold line %d: %w", line, err)
	}
	return errors.Join(do(l), l.Close())
}

func gpioBusy() error {
	return held(17, 1, func(*gpiocdev.Line) error {
		return errors.Join(
			wantError(gpio.Driver{}, spec("", `{"line":17}`), `line 17 of pinctrl-bcm2835 is in use by "somebody else"`),
			want(17, 1))
	})
}

func gpioPowerup() error {
	var errs []error
	open := func(visitor, last string, level int) {
		s := spec("", visitor)
		if last != "" {
			s.Last = map[string]twin.Value{"powerstatus": twin.StringValue(last)}
		}
		err := with(gpio.Driver{}, s, func(mapper.Device) error { return want(17, level) })
		if err != nil {
			errs = append(errs, fmt.Errorf("%s after %q: %w", visitor, last, err))
		}
	}
	open(`{"line":17,"powerup":"on"}`, "", 1)
	open(`{"line":17,"powerup":"off"}`, "ON", 0)
	open(`{"line":17,"powerup":"on","activeLow":true}`, "", 0)
	open(`{"line":17,"powerup":"last"}`, "ON", 1)
	open(`{"line":17}`, "OFF", 0)
	open(`{"line":17,"activeLow":true}`, "OFF", 1)
	// Nothing is known of the last value: the level stays what it is when the line is taken.
	before, err := lookAt(17)
	if err != nil {
		return err
	}
	open(`{"line":17}`, "", before.level)
	return errors.Join(errs...)
}

func gpioKeep() error {
	var log bytes.Buffer
	s := spec("", `{"line":17}`)
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	return with(gpio.Driver{}, s, func(mapper.Device) error {
		// This kernel's driver makes an input of a released line.
		if !strings.Contains(log.String(), "exit: keep is not sure") {
			return fmt.Errorf("log says %q; want a warning about exit: keep", log.String())
		}
		return nil
	})
}

// gpioExit: this kernel makes an input of a released line, but the emulated line keeps the level that it had last.
func gpioExit() error {
	for _, c := range []struct {
		visitor, before string
		after           int
	}{
		{`{"line":17,"exit":"off"}`, "ON", 0},
		{`{"line":17,"exit":"on"}`, "OFF", 1},
		{`{"line":17,"exit":"off","activeLow":true}`, "ON", 1},
		{`{"line":17,"exit":"keep"}`, "ON", 1},
		{`{"line":17}`, "OFF", 0},
	} {
		err := with(gpio.Driver{}, spec("", c.visitor), func(dev mapper.Device) error { return set(dev, "powerstatus", c.before) })
		if err != nil {
			return err
		}
		got, err := lookAt(17)
		if err != nil {
			return err
		}
		if got != (pin{c.after, false}) {
			return fmt.Errorf("%s from %s: got level %d, output %v; want level %d of a released line", c.visitor, c.before, got.level, got.output, c.after)
		}
	}
	return nil
}

func gpioInput() error {
	s := spec("", `{"line":5,"bias":"pull-up"}`)
	s.Props[0].Access = twin.ReadOnly
	return with(gpio.Driver{}, s, func(dev mapper.Device) error {
		got, err := lookAt(5)
		if err != nil {
			return err
		}
		if got.output {
			return errors.New("the line of a read-only property is an output")
		}
		values, err := dev.Read(context.Background())
		if err != nil {
			return err
		}
		if v := values["powerstatus"].Text(); v != [2]string{"OFF", "ON"}[got.level] {
			return fmt.Errorf("read %s while the register shows level %d", v, got.level)
		}
		if err := dev.Write(context.Background(), map[string]twin.Value{"powerstatus": twin.StringValue("ON")}); !errors.Is(err, mapper.ErrPermanent) {
			return fmt.Errorf("write to an input: got %v; want a permanent error", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return dev.Watch(ctx, func(map[string]twin.Value) {})
	})
}

func gpioTime() error {
	return with(gpio.Driver{}, spec("", `{"line":17}`), func(dev mapper.Device) error {
		const n = 2000
		start := time.Now()
		for i := range n {
			if err := set(dev, "powerstatus", [2]string{"OFF", "ON"}[i%2]); err != nil {
				return err
			}
		}
		fmt.Printf("NOTE gpio: %v for a write with read-back\n", time.Since(start)/n)
		return nil
	})
}

func rpioSwitches() error {
	return with(rpio.New(), spec("", `{"line":"pin:15"}`), func(dev mapper.Device) error {
		for _, on := range []int{1, 0, 1, 0} {
			if err := errors.Join(set(dev, "powerstatus", [2]string{"OFF", "ON"}[on]), want(22, on), kernelReads(22, on)); err != nil {
				return err
			}
		}
		return nil
	})
}

// kernelReads asks the kernel's own driver of the pins, which knows nothing of rpio, for function and level of a line.
func kernelReads(line, level int) error {
	files, err := filepath.Glob("/sys/kernel/debug/pinctrl/*.gpio-pinctrl-bcm2835/pins")
	if err != nil || len(files) != 1 {
		return fmt.Errorf("pin controllers in the debug files: got %d, %v; want 1", len(files), err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	state := "function gpio_out in " + [2]string{"lo", "hi"}[level]
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, fmt.Sprintf("pin %d (", line)) {
			if strings.Contains(l, state) {
				return nil
			}
			return fmt.Errorf("debug file on pin %d: got %q; want %q", line, strings.TrimSpace(l), state)
		}
	}
	return fmt.Errorf("debug file does not show pin %d", line)
}

func rpioRests() error {
	d := rpio.New()
	err := with(d, spec("", `{"line":22,"powerup":"on","exit":"off","activeLow":true}`), func(mapper.Device) error { return want(22, 0) })
	err = errors.Join(err, want(22, 1)) // off, active low: high, and the register stays
	err = errors.Join(err, with(d, spec("", `{"line":22}`), func(mapper.Device) error { return want(22, 1) }))
	s := spec("", `{"line":22}`)
	s.Last = map[string]twin.Value{"powerstatus": twin.StringValue("OFF")}
	return errors.Join(err, with(d, s, func(mapper.Device) error { return want(22, 0) }), want(22, 0))
}

func rpioRespects() error {
	d := rpio.New()
	err := held(23, 1, func(*gpiocdev.Line) error {
		return errors.Join(wantError(d, spec("", `{"line":23}`), `line 23 is in use by "somebody else"`), want(23, 1))
	})
	// A line that is taken by somebody else later.
	err = errors.Join(err, with(d, spec("", `{"line":24,"exit":"off"}`), func(dev mapper.Device) error {
		if err := set(dev, "powerstatus", "OFF"); err != nil {
			return err
		}
		return held(24, 1, func(*gpiocdev.Line) error {
			e := dev.Write(context.Background(), map[string]twin.Value{"powerstatus": twin.StringValue("OFF")})
			if e == nil || !strings.Contains(e.Error(), "somebody else") {
				return fmt.Errorf("write over a line of somebody else: got %v", e)
			}
			return want(24, 1)
		})
	}))
	return err
}

func rpioRefuses() error {
	d := rpio.New()
	return errors.Join(
		wantError(d, spec("", `{"line":48}`), "line 48 is not on the header"),
		wantError(d, spec("", `{"line":"GPIO17"}`), "rpio knows no names"),
		with(d, spec("", `{"line":25}`), func(mapper.Device) error {
			return wantError(d, spec("", `{"line":25}`), "line 25 is in use by default/lamp")
		}))
}
