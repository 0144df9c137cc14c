package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func moveCommand(a *app) *cobra.Command {
	force := false
	c := &cobra.Command{
		Use: "move NAME NODE", Short: "Give a device that the hub defines to another node",
		Long: `Gives a device that the hub defines to another node, with what is expected of it and the wishes for it. The old node
lets go first; with --force the new one gets the device though the old one cannot be asked.`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: a.completeOne,
	}
	c.Flags().BoolVar(&force, "force", false, "do not wait until the old node has let go")
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		name, err := deviceName(args[0])
		if err != nil {
			return err
		}
		return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			if err := c.Move(ctx, name, deviceapi.MoveAsk{Node: args[1], Force: force}); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s goes to node %s\n", name, args[1])
			return nil
		})
	})
	return c
}
