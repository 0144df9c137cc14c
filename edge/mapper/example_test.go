package mapper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"twinbridge/edge/mapper"
	"twinbridge/twin"
)

// ledDriver moves lamps that the kernel shows as LEDs: a file that holds "0" or another number.
type ledDriver struct{}

// Open reads {"file": "/sys/class/leds/ACT/brightness"} of the one property, powerstatus. What no retry can cure is
// Permanent, what may be plugged in later is Gone.
func (ledDriver) Open(_ context.Context, spec mapper.Spec) (mapper.Device, error) {
	if len(spec.Props) != 1 || spec.Props[0].Name != "powerstatus" {
		return nil, mapper.Permanent(errors.New("a led has the one property powerstatus"))
	}
	var visitor struct{ File string }
	if err := json.Unmarshal(spec.Props[0].Visitor.Config, &visitor); err != nil || visitor.File == "" {
		return nil, mapper.Permanent(errors.New(`visitor: expected {"file": PATH}`))
	}
	led := &led{path: visitor.File}
	_, err := led.Read(context.Background())
	return led, err
}

type led struct{ path string }

// Write moves the device; the mapper reads back and reports by itself.
func (l *led) Write(_ context.Context, values map[string]twin.Value) error {
	level := map[string]string{"ON": "1", "OFF": "0"}[values["powerstatus"].Text()]
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_TRUNC, 0) // never made: a LED that is not there is no LED
	if err != nil {
		return gone(err)
	}
	_, err = f.WriteString(level)
	return errors.Join(err, f.Close())
}

func (l *led) Read(context.Context) (map[string]twin.Value, error) {
	text, err := os.ReadFile(l.path)
	if err != nil {
		return nil, gone(err)
	}
	word := "ON"
	if strings.TrimSpace(string(text)) == "0" {
		word = "OFF"
	}
	return map[string]twin.Value{"powerstatus": twin.StringValue(word)}, nil
}

// Watch cannot tell: the cyclic Read finds what a hand did.
func (*led) Watch(context.Context, func(map[string]twin.Value)) error { return nil }

func (*led) Close() error { return nil }

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return mapper.Gone(err)
	}
	return err
}

// A driver for a new kind of device: copy it, and enter it in package edge beside the others.
func ExampleDriver() {
	dir, err := os.MkdirTemp("", "led")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "brightness")
	if err := os.WriteFile(file, []byte("0\n"), 0o600); err != nil {
		panic(err)
	}

	ctx := context.Background()
	config, err := json.Marshal(map[string]string{"file": file})
	if err != nil {
		panic(err)
	}
	led, err := ledDriver{}.Open(ctx, mapper.Spec{
		Name:  twin.Name{Namespace: "default", Name: "act"},
		Props: []twin.Property{{Name: "powerstatus", Type: twin.String, Visitor: twin.Visitor{Config: config}}},
	})
	if err != nil {
		panic(err)
	}
	defer led.Close()
	fmt.Println(led.Read(ctx))
	fmt.Println(led.Write(ctx, map[string]twin.Value{"powerstatus": twin.StringValue("ON")}))
	fmt.Println(led.Read(ctx))

	// Output:
	// map[powerstatus:OFF] <nil>
	// <nil>
	// map[powerstatus:ON] <nil>
}
