package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/edge"
	"twinbridge/internal/deviceapi"
	"twinbridge/pairing/setup"
)

func pairCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "pair", Short: "Pair phones and speakers with a node, and see who has"}
	group(c)
	c.AddCommand(pairHomeKit(a))
	return c
}

func pairHomeKit(a *app) *cobra.Command {
	var reset int
	var picture string
	c := &cobra.Command{
		Use:   "homekit",
		Short: "Show the code to scan in the Home app, and who has paired",
		Long: `Shows, of the node of the data folder, each HomeKit bridge: the QR code and the setup code as long as nobody has paired,
then who has. A bridge that is paired takes further phones only by an invitation from its owner, in the Home app.

--reset 1 makes a new bridge of the first one: all pairings are forgotten, and with them the rooms, names and automations
that people gave its lamps in the Home app. Remove the old bridge there. It also helps where HomeKit cannot be opened because
what the bridge remembers is damaged; then the node has to be restarted.`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&picture, "png", "", "write the QR code of the first bridge that nobody has paired with to this file, as a picture")
	c.Flags().IntVar(&reset, "reset", 0, "forget all pairings of the bridge of that number")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("reset") && reset < 1 {
			return usage("--reset: %d: expected the number of a bridge, from 1", reset)
		}
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
			if picture != "" {
				return a.drawHomeKit(&h, picture)
			}
			if a.output == "json" {
				return a.json(h)
			}
			return a.showHomeKit(&h)
		})
	})
	return a.outputFlag(c)
}

// drawHomeKit writes a QR code as a picture, which only its owner may read: whoever has it can pair.
func (a *app) drawHomeKit(h *deviceapi.HomeKit, path string) error {
	for i := range h.Bridges {
		b := &h.Bridges[i]
		if b.Paired {
			continue
		}
		qr, err := setup.NewQR(b.Payload)
		if err != nil {
			return err
		}
		png, err := qr.PNG()
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(png)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s: the QR code of %s\n", path, b.Name)
		return nil
	}
	return errors.New("every bridge is paired: there is nothing to scan")
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
