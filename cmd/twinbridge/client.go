package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"twinbridge/edge"
	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// withClient runs f with a client: of --server if that is given, else of the edge of the data folder.
func (a *app) withClient(ctx context.Context, f func(context.Context, *deviceapi.Client) error) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	return a.advise(f(ctx, c))
}

func (a *app) client() (*deviceapi.Client, error) {
	data, err := a.folder()
	if err != nil {
		return nil, err
	}
	if a.server != "" {
		o, err := a.clientOptions(data)
		if err != nil {
			return nil, err
		}
		c, err := deviceapi.NewClient(a.server, o)
		if err != nil {
			return nil, usage("--%w", err)
		}
		return c, nil
	}
	if a.token != "" || a.ca != "" {
		return nil, usage("--token-file and --ca are for a hub: expected --server URL beside them")
	}
	return deviceapi.NewSocketClient(edge.Socket(data)), nil
}

// advise says what to do next where that is not obvious.
func (a *app) advise(err error) error {
	var p *deviceapi.Problem
	switch {
	case errors.Is(err, deviceapi.ErrNotRunning):
		return fmt.Errorf("%w: no edge runs on this data folder; start one with: %s edge%s, or name its folder with --data", err, a.called, a.dataFlag())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the socket is its owner's alone; run this as the user of the edge", err)
	case errors.As(err, &p) && p.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w; name the file with an API token by --token-file, or set TWINBRIDGE_TOKEN", err)
	case errors.As(err, &p) && p.Status == http.StatusNotFound && strings.Contains(p.Detail, "no such path"):
		return fmt.Errorf("%w; this is for a hub: name it with --server URL", err)
	case errors.As(err, &p) && p.Status == http.StatusNotFound:
		return fmt.Errorf("%w; see: %s device list%s", err, a.called, a.dataFlag())
	}
	return err
}

func (a *app) dataFlag() string {
	switch {
	case a.server != "":
		return " --server " + a.server
	case a.data != "":
		return " --data " + a.data
	}
	return ""
}

// deviceName reads NAME or NAMESPACE/NAME.
func deviceName(arg string) (twin.Name, error) {
	n, err := twin.ParseName(arg)
	if err != nil {
		return n, usage("device %q: %w", arg, err)
	}
	return n, nil
}
