package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/edge"
	"twinbridge/internal/deviceapi"
)

func pairCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "pair", Short: "Pair phones and speakers with a node, and see who has"}
	group(c)
	c.AddCommand(pairHomeKit(a))
	return c
}

func pairHomeKit(a *app) *cobra.Command {
	var reset int
	c := &cobra.Command{
		Use:   "homekit",
		Short: "Show the code to scan in the Home app, and who has paired",
		Long: `Shows, of the node of the data folder, each HomeKit bridge: the QR code and the setup code as long as nobody has paired,
then who has. A bridge that is paired takes further phones only by an invitation from its owner, in the Home app.

--reset 1 makes a new bridge of the first one: all pairings are forgotten, and with them the rooms, names and automations
that people gave its lamps in the Home app. Remove the old bridge there.`,
		Args: cobra.NoArgs,
	}
	c.Flags().IntVar(&reset, "reset", 0, "forget all pairings of the bridge of that number")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		return a.withNode(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			if cmd.Flags().Changed("reset") {
				if err := c.ResetHomeKit(ctx, reset); err != nil {
					return err
				}
				if a.output == "text" {
					fmt.Fprintf(a.out, "bridge %d is a new one, and nobody has paired with it\n", reset)
				}
			}
			h, err := c.HomeKit(ctx)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.json(h)
			}
			return a.showHomeKit(&h)
		})
	})
	return a.outputFlag(c)
}

// withNode runs f with a client of the edge node of the data folder.
func (a *app) withNode(ctx context.Context, f func(context.Context, *deviceapi.Client) error) error {
	data, err := a.folder()
	if err != nil {
		return err
	}
	if a.server != "" {
		return usage("--server: this is for the node of a data folder: expected --data, or neither")
	}
	c := deviceapi.NewSocketClient(edge.Socket(data))
	defer c.Close()
	err = f(ctx, c)
	var p *deviceapi.Problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound && strings.Contains(p.Detail, "no such path") {
		return fmt.Errorf("the node has no HomeKit bridge: homekit.listen is empty in its configuration")
	}
	if p != nil {
		return err
	}
	return a.advise(err, "an edge with: "+a.called+" edge")
}

func (a *app) showHomeKit(h *deviceapi.HomeKit) error {
	if h.Trouble != "" {
		fmt.Fprintf(a.out, "trouble: %s\n", h.Trouble)
	}
	for i := range h.Bridges {
		b := &h.Bridges[i]
		text, err := a.bridgeText(b)
		if err != nil {
			return err
		}
		fmt.Fprint(a.out, text)
	}
	if len(h.Left) > 0 {
		fmt.Fprintf(a.out, "%d devices have no place, as a bridge holds 149; set homekit.bridges to %d in the configuration for one more, and restart:\n    %s\n",
			len(h.Left), len(h.Bridges)+1, strings.Join(h.Left, "\n    "))
	}
	for _, u := range h.Unknown {
		fmt.Fprintf(a.out, "not shown: %s: %s\n", u.Device, u.Reason)
	}
	return nil
}

// bridgeText shows a bridge, with its QR code if nobody has paired.
func (a *app) bridgeText(b *deviceapi.HomeKitBridge) (string, error) {
	var t strings.Builder
	fmt.Fprintf(&t, "HomeKit bridge %d: %s, id %s, port %d, %s\n", b.Bridge, b.Name, b.ID, b.Port, devices(b.Accessories))
	if !b.Announced {
		t.WriteString("It is not announced in the network (yet): no interface, or see twinbridge doctor.\n")
	}
	if !b.Paired {
		code, err := edge.PairingCode(a.out, b.Code, b.Payload)
		if err != nil {
			return "", err
		}
		t.WriteString(code)
	}
	for _, c := range b.Controllers {
		role := "user"
		if c.Admin {
			role = "admin"
		}
		fmt.Fprintf(&t, "paired: %s (%s), %s\n", c.ID, role, connections(c.Connections))
	}
	return t.String(), nil
}

func devices(n int) string {
	if n == 1 {
		return "1 device"
	}
	return fmt.Sprintf("%d devices", n)
}

func connections(n int) string {
	switch n {
	case 0:
		return "not connected"
	case 1:
		return "connected"
	}
	return fmt.Sprintf("%d connections", n)
}
