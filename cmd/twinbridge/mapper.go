package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"twinbridge/edge"
)

func mapperCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "mapper",
		Short: "Start a mapper in a process of its own",
		Long: `Moves the devices of a node in a process of its own, on this machine or another one. It speaks MQTT with the broker
that mqtt.broker in the configuration names, and with nobody else. The edge of the node then has mapper.enabled: false.`,
		Args: cobra.NoArgs,
	}
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		s, err := a.start()
		if err != nil {
			return err
		}
		m := s.cfg.ForMapper()
		fmt.Fprintf(a.out, "mapper of node %s at broker %s\n", m.Node, m.Broker)
		return edge.RunMapper(cmd.Context(), m, a.out, s.log)
	})
	return c
}
