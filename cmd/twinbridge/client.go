package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"twinbridge/cloud"
	"twinbridge/edge"
	"twinbridge/internal/config"
	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// withClient runs f with a client: of --server if that is given; else of the edge of the data folder, or of the hub
// there; else of the hub that the configuration names.
func (a *app) withClient(ctx context.Context, f func(context.Context, *deviceapi.Client) error) error {
	data, err := a.folder()
	if err != nil {
		return err
	}
	return a.with(ctx, data, f, "an edge with: "+a.called+" edge", edge.Socket(data), cloud.Socket(data))
}

// withHub runs f with a client of a hub: of --server, of the data folder, or of the configuration.
func (a *app) withHub(ctx context.Context, f func(context.Context, *deviceapi.Client) error) error {
	data, err := a.folder()
	if err != nil {
		return err
	}
	return a.with(ctx, data, f, "a hub with: "+a.called+" cloud", cloud.Socket(data))
}

// with runs f with a client: of --server, of the first of the sockets that is there, or of hub.url. start is how one
// starts what is asked for.
func (a *app) with(ctx context.Context, data string, f func(context.Context, *deviceapi.Client) error, start string, sockets ...string) error {
	c, err := a.client(data, sockets)
	if err != nil {
		return err
	}
	defer c.Close()
	return a.advise(f(ctx, c), start)
}

func (a *app) client(data string, sockets []string) (*deviceapi.Client, error) {
	server := a.server
	if server == "" {
		for _, s := range sockets {
			if _, err := os.Lstat(s); err == nil {
				if a.token != "" || a.ca != "" {
					return nil, usage("--token-file and --ca are for a hub that is named: expected --server URL beside them")
				}
				return deviceapi.NewSocketClient(s), nil
			}
		}
		server = a.hubURL()
	}
	if server == "" {
		if a.token != "" || a.ca != "" {
			return nil, usage("--token-file and --ca are for a hub that is named: expected --server URL beside them")
		}
		return deviceapi.NewSocketClient(sockets[0]), nil // whose error says that nobody is there
	}
	o, err := a.clientOptions(data)
	if err != nil {
		return nil, err
	}
	c, err := deviceapi.NewClient(server, o)
	if err != nil {
		return nil, usage("--%w", err)
	}
	return c, nil
}

// hubURL gives hub.url of the configuration, "" if there is none.
func (a *app) hubURL() string {
	_, file, err := a.files()
	if err != nil {
		return ""
	}
	cfg := defaults()
	if config.Load(file, &cfg) != nil {
		return "" // who starts an edge or a hub with it is told
	}
	return cfg.Hub.URL
}

// advise says what to do next where that is not obvious.
func (a *app) advise(err error, start string) error {
	var p *deviceapi.Problem
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, deviceapi.ErrNotRunning):
		return fmt.Errorf("%w: nothing runs on this data folder; start %s%s, or name its folder with --data, or a hub with --server URL", err, start, a.dataFlag())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the socket is its owner's alone; run this as the user of the edge or the hub", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w; name the hub's own CA certificate by --ca: it is hub-ca.crt in the hub's data folder", err)
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
		return " --server " + edge.Quote(a.server)
	case a.data != "":
		return " --data " + edge.Quote(a.data)
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
