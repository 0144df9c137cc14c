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
	var insist bool
	c := a.outputFlag(&cobra.Command{
		Use: "set NAME PROPERTY=VALUE ...", Short: "Wish that a device does something",
		Long: `Hands in a wish: all of the properties take their values, or none. Without --wait it is told at once whether the wish
is accepted; with it, what became of it.`,
		Example: "  twinbridge device set lamp powerstatus=ON --wait 5s\n  twinbridge device set garden/porch level=40 fade=2.5 --for 30s",
		Args:    cobra.MinimumNArgs(2), ValidArgsFunction: a.completeSet,
	})
	c.Flags().DurationVar(&wait, "wait", 0, "wait for the outcome, at most 60s")
	c.Flags().DurationVar(&validFor, "for", 0, "give up after this time if it was not applied; what was expected before holds again")
	c.Flags().BoolVar(&insist, "insist", false, "take effect though somebody in the house acted meanwhile")
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		name, err := deviceName(args[0])
		if err != nil {
			return err
		}
		values, err := assignments(args[1:])
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
	out := map[string]deviceapi.Scalar{}
	for _, prop := range slices.Sorted(maps.Keys(values)) {
		kind := twin.String
		if p, ok := d.Properties[prop]; ok {
			if err := kind.UnmarshalText([]byte(p.Type)); err != nil {
				return nil, fmt.Errorf("property %s: %w", prop, err)
			}
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
