package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func listCommand(a *app) *cobra.Command {
	var f deviceapi.Filter
	c := a.outputFlag(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List devices", Args: cobra.NoArgs,
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				defer a.progress("reading devices")()
				devices, err := c.Devices(ctx, f)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.json(deviceapi.List{Devices: append([]deviceapi.Device{}, devices...)})
				}
				return a.list(devices)
			})
		}),
	})
	filterFlags(c, &f)
	return c
}

func filterFlags(c *cobra.Command, f *deviceapi.Filter) {
	c.Flags().StringVar(&f.Namespace, "namespace", "", "only devices of this namespace")
	c.Flags().StringVar(&f.Model, "model", "", "only devices of this model")
	c.Flags().StringVar(&f.Node, "node", "", "only devices of this node")
	c.Flags().Var(labelFlag{f}, "label", "only devices with this label, as room=hall (may be repeated)")
}

// labelFlag adds labels to a filter.
type labelFlag struct{ *deviceapi.Filter }

func (l labelFlag) String() string { return "" }

func (l labelFlag) Type() string { return "key=value" }

func (l labelFlag) Set(text string) error {
	key, value, err := deviceapi.ParseLabel(text)
	if err != nil {
		return err
	}
	if l.Labels == nil {
		l.Labels = map[string]string{}
	}
	l.Labels[key] = value
	return nil
}

// list prints a row for each property of each device.
func (a *app) list(devices []deviceapi.Device) error {
	if len(devices) == 0 {
		fmt.Fprintln(a.err, "no devices")
		return nil
	}
	rows := []string{"DEVICE\tPRESENCE\tPROPERTY\tEXPECTED\tACTUAL\t"}
	for i := range devices {
		d := &devices[i]
		head := d.FullName() + "\t" + presence(d)
		if len(d.Properties) == 0 {
			rows = append(rows, head+"\t-\t-\t-\t")
		}
		for _, name := range properties(d) {
			p := d.Properties[name]
			rows = append(rows, strings.Join([]string{head, name, expectedText(&p), actualText(&p), pendingText(&p)}, "\t"))
			head = "\t"
		}
	}
	return a.table(rows)
}
