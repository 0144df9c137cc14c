package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func nodeCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "node", Aliases: []string{"nodes"}, Short: "Look at the nodes of a hub, let them in and out"}
	group(c)
	var validFor time.Duration
	token := a.nodeDo("token NAME", "Make a token with which a node joins, once", true, func(ctx context.Context, c *deviceapi.Client, name string) error {
		return a.joinToken(ctx, c, name, validFor)
	})
	forFlag(token, &validFor)
	c.AddCommand(
		a.nodeList(),
		a.nodeDo("get NAME", "Show a node", true, func(ctx context.Context, c *deviceapi.Client, name string) error {
			n, err := c.Node(ctx, name)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.json(n)
			}
			return a.showNode(&n)
		}),
		token,
		a.nodeDo("revoke NAME", "Revoke a node's certificate; its connection ends", false, func(ctx context.Context, c *deviceapi.Client, name string) error {
			if err := c.RevokeNode(ctx, name); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "node %s: certificate revoked\n", name)
			return nil
		}),
		a.nodeDo("delete NAME", "Revoke a node's certificate and forget the node", false, func(ctx context.Context, c *deviceapi.Client, name string) error {
			if err := c.DeleteNode(ctx, name); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "node %s: deleted\n", name)
			return nil
		}),
	)
	return c
}

func forFlag(c *cobra.Command, d *time.Duration) {
	c.Flags().DurationVar(d, "for", 0, "how long it may be used, at most 1h (default 1h)")
}

// joinToken prints a new join token, alone on standard output.
func (a *app) joinToken(ctx context.Context, c *deviceapi.Client, node string, validFor time.Duration) error {
	t, err := c.JoinToken(ctx, node, validFor)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.json(t)
	}
	fmt.Fprintln(a.out, t.Token)
	fmt.Fprintf(a.err, "node %s may join with it until %s\n", t.Node, t.Expires.Local().Format(time.DateTime))
	return nil
}

// nodeDo makes a command about one node.
func (a *app) nodeDo(use, short string, output bool, do func(context.Context, *deviceapi.Client, string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNode}
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error { return do(ctx, c, args[0]) })
	})
	if output {
		return a.outputFlag(c)
	}
	return c
}

func (a *app) nodeList() *cobra.Command {
	return a.outputFlag(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the nodes", Args: cobra.NoArgs,
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				list, err := c.Nodes(ctx)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.json(list)
				}
				rows := []string{"NODE\tSTATE\tSINCE\tDEVICES\tVERSION\tCERTIFICATE UNTIL\t"}
				for i := range list.Nodes {
					n := &list.Nodes[i]
					rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s\t%s", n.Name, nodeState(n), ago(n.Since), n.Devices, n.Version, day(n.Expires), n.Trouble))
				}
				return a.table(rows)
			})
		}),
	})
}

func (a *app) showNode(n *deviceapi.Node) error {
	rows := []string{"node\t" + n.Name, "state\t" + nodeState(n) + "\t" + n.Trouble}
	for _, line := range [][2]string{{"since", ago(n.Since)}, {"version", n.Version}, {"store", n.Store}, {"certificate until", day(n.Expires)}} {
		if line[1] != "" {
			rows = append(rows, line[0]+"\t"+line[1])
		}
	}
	rows = append(rows, fmt.Sprintf("devices\t%d", n.Devices))
	for _, r := range n.Refused {
		rows = append(rows, "refused\t"+r.Device+": "+r.Reason)
	}
	return a.table(rows)
}

func nodeState(n *deviceapi.Node) string {
	switch {
	case n.Connected:
		return "connected"
	case n.Since == nil:
		return "never seen"
	}
	return "away"
}

func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format(time.DateOnly)
}

// completeNode completes a node's name.
func (a *app) completeNode(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	if len(args) == 0 {
		a.ask(cmd, func(ctx context.Context, c *deviceapi.Client) error {
			list, err := c.Nodes(ctx)
			for i := range list.Nodes {
				out = append(out, list.Nodes[i].Name)
			}
			return err
		})
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
