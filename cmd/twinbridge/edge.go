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
explains each key. Devices are KubeEdge's manifests in the folder devices; changes to them are taken while it runs. A
node that has joined a hub keeps in step with it.`,
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&demo, "demo", false, "at the first start, define a simulated lamp if no device is defined")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		s, err := a.start()
		if err != nil {
			return err
		}
		o := s.edge()
		o.Demo = demo
		thrifty(nodeGarbage)
		return edge.Run(cmd.Context(), o)
	})
	return c
}

// started is a data folder that is prepared, with its configuration.
type started struct {
	*app
	data, file string
	cfg        settings
	log        *slog.Logger
}

// start prepares the data folder and reads the configuration.
func (a *app) start() (*started, error) {
	data, file, err := a.files()
	if err != nil {
		return nil, err
	}
	if err := edge.PrepareFolder(data); err != nil {
		return nil, err
	}
	cfg, err := load(file)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: cfg.level()}))
	return &started{app: a, data: data, file: file, cfg: cfg, log: log}, nil
}

// edge gives the options of an edge.
func (s *started) edge() edge.Options {
	return edge.Options{
		Data: s.data, Config: s.cfg.node, File: s.file, Version: version, Built: builtTime(), Started: s.started,
		Program: s.called, DataArg: s.app.data, Out: s.out, Log: s.log, Hubs: s.cfg.Addresses(),
	}
}
