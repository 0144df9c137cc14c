package main

import (
	"context"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

func profileCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "profile [NAME ...]", Short: "Print deviceProfile.json for KubeEdge's older MQTT mappers", ValidArgsFunction: a.completeNames,
		Long: `Prints the file from which KubeEdge's MQTT mappers before v1.12 learn their devices, of all devices or of those that
are named. Most of these mappers read it at /opt/kubeedge/deviceProfile.json.

It holds what is expected of the devices and what they show at this moment. Some mappers write what is expected in it to
their devices when they start: make it anew before each start. defaultValue of a property is not kept here, and so is not
in it: a mapper that reads it (light_mapper does) finds none.`,
		Example: "  twinbridge device profile > /opt/kubeedge/deviceProfile.json\n  twinbridge device profile tank garden/porch",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			names := make([]twin.Name, len(args))
			for i, arg := range args {
				var err error
				if names[i], err = deviceName(arg); err != nil {
					return err
				}
			}
			return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				defer a.progress("reading devices")()
				text, err := c.Profile(ctx, names)
				if err != nil {
					return err
				}
				_, err = a.out.Write(text)
				return err
			})
		}),
	}
}
