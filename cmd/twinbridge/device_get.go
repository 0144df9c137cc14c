package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func getCommand(a *app) *cobra.Command {
	return a.outputFlag(&cobra.Command{
		Use: "get NAME", Short: "Show a device and its twin", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeOne,
		Long: `Shows a device and its twin. With -o yaml it is the device's definition and its model's, as a manifest of KubeEdge
(v1beta1) that apply takes; what is expected of the device is not in it, so that to apply it switches nothing.`,
		Example: "  twinbridge device get lamp\n  twinbridge device get garden/porch -o yaml > porch.yaml",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			name, err := deviceName(args[0])
			if err != nil {
				return err
			}
			return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				defer a.progress("reading " + name.String())()
				if a.output == "yaml" {
					text, err := c.Manifest(ctx, name)
					if err != nil {
						return err
					}
					_, err = a.out.Write(text)
					return err
				}
				d, err := c.Device(ctx, name)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.json(d)
				}
				return a.show(&d)
			})
		}),
	}, "yaml")
}

func (a *app) show(d *deviceapi.Device) error {
	rows := []string{"device\t" + d.FullName(), "presence\t" + presence(d)}
	for _, line := range [][2]string{{"model", d.Model}, {"node", d.Node}, {"uid", d.UID}} {
		if line[1] != "" {
			rows = append(rows, line[0]+"\t"+line[1])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.Attributes)) {
		rows = append(rows, key+"\t"+d.Attributes[key])
	}
	if err := a.table(append(rows, "")); err != nil {
		return err
	}
	rows = []string{"PROPERTY\tTYPE\tEXPECTED\tBY\tACTUAL\tREPORTED\t"}
	for _, name := range properties(d) {
		p := d.Properties[name]
		by, at := "-", ""
		if p.Expected != nil {
			by = p.Expected.Origin
		}
		if p.Actual != nil {
			at = ago(p.Actual.At)
		}
		rows = append(rows, strings.Join([]string{name, p.Type, expectedText(&p), by, actualText(&p), at, pendingText(&p)}, "\t"))
	}
	return a.table(rows)
}

// presence is how a device answers, with the mapper's word where it says more.
func presence(d *deviceapi.Device) string {
	if d.State == "" {
		return d.Presence
	}
	return d.Presence + " (" + d.State + ")"
}
