package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"twinbridge/edge"
)

func edgeCommand(a *app) *cobra.Command {
	demo := false
	c := &cobra.Command{
		Use:   "edge",
		Short: "Start an edge node: twins, MQTT broker, mapper",
		Long: `Starts an edge node and runs it until Ctrl-C. At the first start it makes the data folder and a configuration that
explains each key. Devices are KubeEdge's manifests in the folder devices; changes to them are taken while it runs.`,
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&demo, "demo", false, "at the first start, define a simulated lamp if no device is defined")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		data, file, cfg, err := a.start()
		if err != nil {
			return err
		}
		return edge.Run(cmd.Context(), edge.Options{
			Data: data, Config: cfg, File: file, Version: version, Started: a.started,
			Program: a.called, DataArg: a.data, Demo: demo, Out: a.out, Log: a.logger(cfg),
		})
	})
	return c
}

// start prepares the data folder and reads the configuration.
func (a *app) start() (data, file string, cfg edge.Config, err error) {
	if data, file, err = a.files(); err != nil {
		return
	}
	if err = edge.PrepareFolder(data); err != nil {
		return
	}
	cfg, err = edge.Load(file)
	return
}

func (a *app) logger(cfg edge.Config) *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.Level(cfg.Log.Level)}))
}
