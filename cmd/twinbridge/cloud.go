package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/cloud"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/internal/deviceapi"
)

func cloudCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "cloud",
		Short: "Start a hub: nodes join it, REST and a page read and set their devices",
		Long: `Starts a hub and runs it until Ctrl-C. At the first start it makes the data folder, a configuration that explains each
key, a certificate authority of its own, and a token for REST in the file token.

  twinbridge cloud token --node NAME     make a token with which a node joins (for twinbridge join, on the node)`,
		Args: cobra.NoArgs,
	}
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		s, err := a.start()
		if err != nil {
			return err
		}
		thrifty(hubGarbage)
		return s.cloud(cmd.Context(), func(r cloud.Ready) {
			fmt.Fprintf(a.out, "\ntwinbridge %s, hub\n", version)
			fmt.Fprintf(a.out, "page %s  (code %s)\n\n", r.Page, r.Code)
			fmt.Fprintf(a.out, "Let a node join: here\n    %s cloud token --node NAME%s\nand what that prints, at the node\n    twinbridge join TOKEN\n", a.called, a.dataFlag())
			fmt.Fprintf(a.out, "\nThe configuration is %s, the CA certificate %s,\na token of an admin %s. Ctrl-C stops.\n\n", s.file, r.CAFile, r.Token)
			fmt.Fprintf(a.out, "ready: %s, %d ms after the start\n", readyText(r), sinceStart(a))
		})
	})
	c.AddCommand(cloudTokenCommand(a))
	return c
}

// cloudTokenCommand is node token under the name that stands in the hub's own instructions.
func cloudTokenCommand(a *app) *cobra.Command {
	var node string
	var validFor time.Duration
	c := a.outputFlag(&cobra.Command{
		Use: "token", Short: "Make a token with which a node joins, once", Args: cobra.NoArgs,
		Example: "  twinbridge cloud token --node attic",
	})
	c.Flags().StringVar(&node, "node", "", "name of the node")
	forFlag(c, &validFor)
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		if node == "" {
			return usage("--node: expected the name of the node that is to join")
		}
		return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error { return a.joinToken(ctx, c, node, validFor) })
	})
	return c
}

// Percentages of garbage, of what lives, at which it is collected. A hub holds much that lives long; a node runs on small
// machines.
const (
	hubGarbage  = 33
	nodeGarbage = 50
)

// thrifty trades some processor time for memory: garbage is collected before it has doubled what lives. GOGC, if it is set,
// decides instead.
func thrifty(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// cloud runs a hub until ctx ends.
func (s *started) cloud(ctx context.Context, ready func(cloud.Ready)) (err error) {
	r, err := embedded.OpenFolder(s.data, s.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return cloud.Run(ctx, cloud.Options{
		Data: s.data, Config: s.cfg.hub, File: s.file, Version: version, Built: builtTime(), Started: s.started,
		Out: s.out, Log: s.log, Registry: r, RunRegistry: r.Run, Books: r.File(), Ready: ready,
	})
}

// readyText is what the line for programs says of a hub.
func readyText(r cloud.Ready) string {
	text := "hub https://" + r.Listen
	if r.Plain != "" {
		text += ", plain http://" + r.Plain
	}
	return text
}
