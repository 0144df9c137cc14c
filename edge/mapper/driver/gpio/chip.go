//go:build linux

package gpio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/warthog618/go-gpiocdev"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
)

// headerChips are the labels of the chips behind the 40-pin header of the Raspberry Pi: 5, 4, and 0 to 3. The number of
// the chip says nothing: on the Pi 5 it changed with a kernel update.
var headerChips = []string{"pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"}

// chip is what is known of a GPIO chip without holding anything of it.
type chip struct {
	name  string // gpiochip0
	label string // pinctrl-bcm2835
	lines int
	// find gives the number of a named line.
	find func(name string) (int, bool)
}

// chips lists the chips that this user may open. If there are none, but some that are not for this user, that is the
// error.
func chips() ([]chip, error) {
	var list []chip
	var denied error
	for _, name := range gpiocdev.Chips() {
		if fi, err := os.Lstat("/dev/" + name); err != nil || fi.Mode()&fs.ModeSymlink != 0 {
			continue // a second name of a chip that is in the list already
		}
		c, err := gpiocdev.NewChip(name)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				denied = fmt.Errorf("open /dev/%s: %w; the user must be in the device's group, gpio on most systems", name, err)
			}
			continue
		}
		names := map[string]int{}
		for i := range c.Lines() {
			if info, err := c.LineInfo(i); err == nil && info.Name != "" {
				if _, twice := names[info.Name]; !twice {
					names[info.Name] = i
				}
			}
		}
		list = append(list, chip{
			name: c.Name, label: c.Label, lines: c.Lines(),
			find: func(n string) (int, bool) { i, ok := names[n]; return i, ok },
		})
		c.Close()
	}
	if len(list) == 0 && denied != nil {
		return nil, denied
	}
	return list, nil
}

// choose finds the chip for a device: the one that is named by label, name or path; else the one that has the named
// lines; else the one behind the header of a Raspberry Pi; else the only one. Never the first of several.
func choose(list []chip, want string, refs []line.Ref) (chip, error) {
	if len(list) == 0 {
		return chip{}, mapper.Gone(errors.New("this machine shows no GPIO chip (no /dev/gpiochip*)"))
	}
	var fits []chip
	if want != "" {
		name := want
		if strings.HasPrefix(want, "/") {
			if p, err := filepath.EvalSymlinks(want); err == nil {
				name = p
			}
			name = filepath.Base(name)
		}
		fits = filter(list, func(c chip) bool { return c.label == want || c.name == name })
		switch {
		case len(fits) == 0:
			// It may be plugged in later.
			return chip{}, mapper.Gone(fmt.Errorf("no GPIO chip %q; there is %s", want, describe(list)))
		case len(fits) > 1:
			return chip{}, mapper.Permanent(fmt.Errorf("chip %q is ambiguous: %s; name it by its path", want, describe(fits)))
		}
		return fits[0], nil
	}
	if i := slices.IndexFunc(refs, func(r line.Ref) bool { return r.Name() != "" }); i >= 0 {
		name := refs[i].Name()
		fits = filter(list, func(c chip) bool { _, ok := c.find(name); return ok })
		switch {
		case len(fits) == 0:
			return chip{}, mapper.Gone(fmt.Errorf("no GPIO chip has a line named %q; there is %s", name, describe(list)))
		case len(fits) > 1:
			return chip{}, mapper.Permanent(fmt.Errorf("a line %q is on more than one chip: %s; say which with chip", name, describe(fits)))
		}
		return fits[0], nil
	}
	fits = filter(list, func(c chip) bool { return slices.Contains(headerChips, c.label) })
	if len(fits) == 0 {
		fits = list
	}
	if len(fits) > 1 {
		return chip{}, mapper.Permanent(fmt.Errorf("this machine has several GPIO chips: %s; say which with chip", describe(fits)))
	}
	return fits[0], nil
}

// offset gives the number of a line on c.
func (c chip) offset(r line.Ref) (int, error) {
	if name := r.Name(); name != "" {
		if n, ok := c.find(name); ok {
			return n, nil
		}
		return 0, fmt.Errorf("chip %s has no line named %q", c, name)
	}
	n, header, _ := r.Number()
	if header && !slices.Contains(headerChips, c.label) {
		return 0, fmt.Errorf("%s is a pin of the Raspberry Pi's header, which is not on chip %s; give the line's number or name", r, c)
	}
	if n >= c.lines {
		return 0, fmt.Errorf("chip %s has no line %d, its last is %d", c, n, c.lines-1)
	}
	return n, nil
}

func (c chip) String() string { return c.label + " (" + c.name + ")" }

func filter(list []chip, ok func(chip) bool) []chip {
	return slices.DeleteFunc(slices.Clone(list), func(c chip) bool { return !ok(c) })
}

func describe(list []chip) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.String()
	}
	return strings.Join(names, ", ")
}

// keepsReleased reports whether the kernel leaves a line as it is when nobody holds it any more. Of most chips nobody
// knows; the Raspberry Pi's say so in a parameter of their module.
func (c chip) keepsReleased() bool {
	module := map[string]string{"pinctrl-rp1": "pinctrl_rp1", "pinctrl-bcm2711": "pinctrl_bcm2835", "pinctrl-bcm2835": "pinctrl_bcm2835"}[c.label]
	if module == "" {
		return false
	}
	b, err := os.ReadFile("/sys/module/" + module + "/parameters/persist_gpio_outputs")
	return err == nil && strings.TrimSpace(string(b)) == "Y"
}
