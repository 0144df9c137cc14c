package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func versionCommand(a *app) *cobra.Command {
	return a.outputFlag(&cobra.Command{
		Use: "version", Short: "Tell the version", Args: cobra.NoArgs,
		RunE: does(func(*cobra.Command, []string) error {
			if a.output == "json" {
				return a.json(map[string]string{"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			fmt.Fprintf(a.out, "twinbridge %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		}),
	})
}
