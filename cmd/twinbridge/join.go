package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/edge"
)

// maxToken bounds a token that is read from standard input, in bytes.
const maxToken = 64 << 10

func joinCommand(a *app) *cobra.Command {
	again := false
	c := &cobra.Command{
		Use:   "join TOKEN",
		Short: "Join a hub with a token of it",
		Long: `Makes this node a member of a hub. The token comes from the hub (twinbridge cloud token --node NAME), is good once and
for a short time, and names this node. The node makes its key here, and gets a certificate for it. With - the token is
read from standard input. Start the edge afterwards; it must not run meanwhile.`,
		Example: "  twinbridge join tb1.eyJ...\n  twinbridge join - <token",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&again, "again", false, "leave the hub of before, if this node has joined one")
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		token := args[0]
		if token == "-" {
			text, err := io.ReadAll(io.LimitReader(a.in, maxToken))
			if err != nil {
				return fmt.Errorf("read the token: %w", err)
			}
			token = strings.TrimSpace(string(text))
		}
		s, err := a.start()
		if err != nil {
			return err
		}
		o := s.edge()
		if err := edge.Join(cmd.Context(), o, token, again); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "node %s has joined; start it with: %s edge%s\n", o.Config.Node.Name, a.called, a.dataFlag())
		return nil
	})
	return c
}
