package main

import "github.com/spf13/cobra"

func deviceCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "device", Aliases: []string{"devices"}, Short: "Look at devices, switch them, follow them",
		Long: "NAME stands for a device: lamp means default/lamp, garden/porch is in the namespace garden.",
	}
	group(c)
	c.AddCommand(listCommand(a), getCommand(a), setCommand(a), watchCommand(a), deleteCommand(a), moveCommand(a), profileCommand(a))
	return c
}
