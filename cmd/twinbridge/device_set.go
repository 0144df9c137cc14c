package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

func setCommand(a *app) *cobra.Command {
	var wait, validFor time.Duration
	var insist, all bool
	var f deviceapi.Filter
	c := a.outputFlag(&cobra.Command{
		Use: "set [NAME] PROPERTY=VALUE ...", Short: "Wish that a device does something, or many do",
		Long: `Hands in a wish: all of the properties take their values, or none. Without --wait it is told at once whether the wish
is accepted; with it, what became of it.

With --namespace, --model, --node, --label or --all in the place of NAME each device that fits is asked by itself, and a
line is printed for each. The exit code is that of the worst: 1 if one refused, 4 if one ended otherwise than applied, 3 if
one is still pending.`,
		Example: "  twinbridge device set lamp powerstatus=ON --wait 5s\n  twinbridge device set garden/porch level=40 fade=2.5 --for 30s\n" +
			"  twinbridge device set --label room=hall powerstatus=OFF --wait 5s",
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeSet,
	})
	filterFlags(c, &f)
	c.Flags().BoolVar(&all, "all", false, "all devices")
	c.Flags().DurationVar(&wait, "wait", 0, "wait for the outcome, at most 60s")
	c.Flags().DurationVar(&validFor, "for", 0, "give up after this time if it was not applied; what was expected before holds again")
	c.Flags().BoolVar(&insist, "insist", false, "take effect though somebody in the house acted meanwhile")
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		many := all || !f.IsZero()
		switch {
		case all && !f.IsZero():
			return usage("--all: expected either it or --namespace, --model, --node, --label")
		case many && !strings.Contains(args[0], "="):
			return usage("%q: expected PROPERTY=VALUE, as the devices are chosen by flags", args[0])
		case !many && len(args) < 2:
			return usage("expected NAME PROPERTY=VALUE, or flags that choose devices, as --label room=hall")
		}
		var name twin.Name
		var err error
		if !many {
			if name, err = deviceName(args[0]); err != nil {
				return err
			}
			args = args[1:]
		}
		values, err := assignments(args)
		if err != nil {
			return err
		}
		if wait < 0 || wait > deviceapi.MaxWait {
			return usage("--wait: %s: expected a duration up to 60s", wait)
		}
		patch := deviceapi.Patch{Insist: insist}
		if cmd.Flags().Changed("for") {
			if validFor <= 0 || validFor > twin.MaxValidFor {
				return usage("--for: %s: expected a duration up to 24h", validFor)
			}
			patch.ValidFor = validFor.String()
		}
		return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			if many {
				return a.setMany(ctx, c, deviceapi.Batch{Select: &f, All: all, Patch: patch}, values, wait)
			}
			defer a.progress("waiting for " + name.String())()
			if patch.Expected, err = typed(ctx, c, name, values); err != nil {
				return err
			}
			w, err := c.Wish(ctx, name, patch, wait)
			if err != nil {
				return err
			}
			return a.outcome(&w, wait > 0)
		})
	})
	return c
}

// assignments reads PROPERTY=VALUE.
func assignments(args []string) (map[string]string, error) {
	values := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, usage("%q: expected PROPERTY=VALUE, as powerstatus=ON", arg)
		}
		if _, twice := values[name]; twice {
			return nil, usage("%q: the property is named twice", arg)
		}
		values[name] = value
	}
	return values, nil
}

// typed makes JSON of the values, by the types of the device's properties. What the device does not have goes as text:
// the server says what it thinks of it.
func typed(ctx context.Context, c *deviceapi.Client, name twin.Name, values map[string]string) (map[string]deviceapi.Scalar, error) {
	d, err := c.Device(ctx, name)
	if err != nil {
		return nil, err
	}
	return typedBy([]deviceapi.Device{d}, values)
}

// typedBy makes JSON of the values, by the types of the first of the devices that has the property.
func typedBy(devices []deviceapi.Device, values map[string]string) (map[string]deviceapi.Scalar, error) {
	out := map[string]deviceapi.Scalar{}
	for _, prop := range slices.Sorted(maps.Keys(values)) {
		kind := twin.String
		for i := range devices {
			p, ok := devices[i].Properties[prop]
			if !ok {
				continue
			}
			if err := kind.UnmarshalText([]byte(p.Type)); err != nil {
				return nil, fmt.Errorf("property %s: %w", prop, err)
			}
			break
		}
		v, err := twin.ParseText(kind, values[prop])
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", prop, err)
		}
		out[prop] = deviceapi.ScalarOf(v)
	}
	return out, nil
}

// outcome prints what became of a wish and gives the exit code.
func (a *app) outcome(w *deviceapi.Wish, waited bool) error {
	if a.output == "json" {
		if err := a.json(w); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.out, wishText(w))
	}
	switch outcome := twin.Outcome(w.Outcome); {
	case outcome == twin.Applied, outcome == twin.Pending && !waited:
		return nil
	case outcome == twin.Pending:
		return &exit{code: exitPending}
	}
	return &exit{code: exitEnded}
}
