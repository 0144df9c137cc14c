package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"time"

	"twinbridge/cloud"
	"twinbridge/edge"
	"twinbridge/internal/config"
)

// built is when the program was built, in seconds since 1970; set by the linker. Certificates are not dated earlier.
var built = ""

// builtTime gives built as a time, zero if it is not known.
func builtTime() time.Time {
	if s, err := strconv.ParseInt(built, 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	return time.Time{}
}

// The parts of twinbridge.yaml under names of their own: both are called Config in their rooms.
type (
	node = edge.Config
	hub  = cloud.Config
)

// settings is what stands in twinbridge.yaml: one file for a node and a hub, each of which reads its part.
type settings struct {
	node
	hub
}

func defaults() settings { return settings{edge.Defaults(), cloud.Defaults()} }

// load reads the configuration at path. If there is none it is written first, with every key, its meaning and its
// default.
func load(path string) (settings, error) {
	cfg := defaults()
	err := config.Load(path, &cfg)
	if errors.Is(err, fs.ErrNotExist) {
		if err = config.Create(path, cfg, nil); errors.Is(err, fs.ErrExist) {
			err = config.Load(path, &cfg) // somebody else was quicker
		}
	}
	if err == nil {
		err = errors.Join(cfg.node.Check(), cfg.hub.Check(), cfg.node.CheckFile(path))
	}
	if err != nil {
		return settings{}, err
	}
	return cfg, nil
}

func (s *settings) level() slog.Level { return slog.Level(s.Log.Level) }
