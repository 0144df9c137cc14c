package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/cloud"
	"twinbridge/edge"
	"twinbridge/twin"
)

func upCommand(a *app) *cobra.Command {
	demo := false
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a hub and a node in one process",
		Long: `Starts a hub and an edge node in one process, with one data folder, and runs them until Ctrl-C. The two share nothing
but the process: the node joins the hub by a token and speaks to it over TLS, as it would from far away.`,
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&demo, "demo", false, "at the first start, define a simulated lamp if no device is defined")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		s, err := a.start()
		if err != nil {
			return err
		}
		thrifty(nodeGarbage)
		return s.up(cmd.Context(), demo)
	})
	return c
}

// up runs both sides until ctx ends, or one of them does. The hub ends last: what the node says at the end still arrives.
func (s *started) up(ctx context.Context, demo bool) error {
	hubCtx, stopHub := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHub()
	ready := make(chan cloud.Ready, 1)
	var hubDone sync.WaitGroup
	var hubErr error
	ended := make(chan struct{})
	hubDone.Go(func() {
		defer close(ended)
		hubErr = s.cloud(hubCtx, func(r cloud.Ready) { ready <- r })
	})
	defer hubDone.Wait()
	var r cloud.Ready
	select {
	case r = <-ready:
	case <-ended:
		return hubErr
	case <-ctx.Done():
		stopHub()
		hubDone.Wait()
		return hubErr
	}
	edgeCtx, stopEdge := context.WithCancel(ctx)
	defer stopEdge()
	go func() {
		select {
		case <-ended:
			stopEdge()
		case <-edgeCtx.Done():
		}
	}()
	o := s.edge()
	o.Demo, o.Invite, o.HubCA = demo, r.Invite, r.CA
	o.Hubs = []string{r.Hub} // the one in this process, wherever it listened when the node joined
	o.Config.Local.Listen = ""
	o.Also = func(lamp twin.Name, property string) (string, string) {
		return s.cloudLines(r, lamp, property), readyText(r)
	}
	err := edge.Run(edgeCtx, o)
	stopHub()
	hubDone.Wait()
	return errors.Join(err, hubErr)
}

// cloudLines tells a person where the hub is, and how to switch a lamp through it.
func (s *started) cloudLines(r cloud.Ready, lamp twin.Name, property string) string {
	var b strings.Builder
	if lamp != (twin.Name{}) {
		url, ca, flags := "https://"+r.Listen, " --cacert "+edge.Quote(r.CAFile), ""
		if r.Plain != "" {
			url, ca = "http://"+r.Plain, ""
			flags = " --server " + url
		}
		fmt.Fprintf(&b, "The same through the hub:\n")
		fmt.Fprintf(&b, "    %s device set %s %s=ON --wait 5s%s%s\n", s.called, edge.Quote(lamp.Name), edge.Quote(property), flags, s.dataFlag())
		fmt.Fprintf(&b, "    curl%s -H \"Authorization: Bearer $(cat %s)\" -X PATCH -H 'Content-Type: application/json' -d '{\"expected\":{%q:\"OFF\"}}' '%s/v1/devices/%s/expected?wait=5s'\n",
			ca, edge.Quote(r.Token), property, url, lamp)
	}
	fmt.Fprintf(&b, "Or in a browser: %s  (code %s)\n", r.Page, r.Code)
	return b.String()
}

func sinceStart(a *app) int64 { return time.Since(a.started).Milliseconds() }
