package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func deleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Aliases: []string{"rm"}, Short: "Remove a device for good", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeOne,
		Long: `Removes a device that this side defines, with its state and its wishes. What a manifest in the devices folder defines
has to be taken out there first.`,
		RunE: does(func(cmd *cobra.Command, args []string) error {
			name, err := deviceName(args[0])
			if err != nil {
				return err
			}
			return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				if err := c.Delete(ctx, name); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s: deleted\n", name)
				return nil
			})
		}),
	}
}
