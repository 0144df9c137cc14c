package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/cloud"
	"twinbridge/cloud/registry/embedded"
	"twinbridge/edge"
	"twinbridge/internal/config"
)

func doctorCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what is wrong with a node, and what to do",
		Long: `Looks at the node of the data folder, whether it runs or not, at what it announces, the network, ports, the clock, the
store, the broker, the hub and GPIO lines, and says what is wrong and what to do about it. What most often keeps phones
from seeing a bridge comes first. It changes nothing and takes a few seconds. Run it as the user of the node, or as root.

Exit codes: 0 nothing failed, warnings or not; 1 something failed.`,
		Args: cobra.NoArgs,
	}
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		o, also, err := a.patient()
		if err != nil {
			return err
		}
		results := edge.Doctor(cmd.Context(), o, also)
		failed := false
		rows := []string{"CHECK\tSTATUS\tSEEN"}
		for _, r := range results {
			failed = failed || r.Status == "fail"
			name, status := r.Name, string(r.Status)
			for _, seen := range r.Seen {
				rows = append(rows, name+"\t"+status+"\t"+oneLine(seen))
				name, status = "", ""
			}
			for _, advice := range r.Advice {
				rows = append(rows, "\t\t  -> "+oneLine(advice))
			}
		}
		if a.output == "json" {
			err = a.json(map[string]any{"checks": results, "failed": failed})
		} else {
			err = a.table(rows)
		}
		if err == nil && failed {
			err = &exit{code: exitError}
		}
		return err
	})
	return a.outputFlag(c)
}

// oneLine makes a row of a text that may have several lines, and tabs.
func oneLine(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\n", "; "), "\t", " ")
}

// patient gives what a doctor is told of a data folder, without making or writing anything in it.
func (a *app) patient() (edge.Options, edge.DoctorOptions, error) {
	data, file, err := a.files()
	if err != nil {
		return edge.Options{}, edge.DoctorOptions{}, err
	}
	cfg := defaults()
	also := edge.DoctorOptions{}
	err = config.Load(file, &cfg)
	if err == nil {
		err = errors.Join(cfg.node.Check(), cfg.hub.Check(), cfg.CheckFile(file))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.config == "":
		also.NoConfig = true
	case err != nil:
		also.ConfigErr, cfg = err, defaults()
	}
	// A hub has been here before if its store is.
	if _, err := os.Lstat(filepath.Join(data, embedded.FileName)); err == nil {
		for _, p := range []struct{ key, address string }{{"hub.listen", cfg.Hub.Listen}, {"hub.plain", cfg.Hub.Plain}} {
			also.Ports = append(also.Ports, edge.DoctorPort{Key: p.key, Address: p.address, Who: "the hub", Socket: cloud.Socket(data)})
		}
	}
	s := &started{app: a, data: data, file: file, cfg: cfg, log: slog.New(slog.DiscardHandler)}
	return s.edge(), also, nil
}
