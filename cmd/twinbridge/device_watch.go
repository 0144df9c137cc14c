package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func watchCommand(a *app) *cobra.Command {
	var f deviceapi.Filter
	c := a.outputFlag(&cobra.Command{
		Use: "watch [NAME ...]", Short: "Follow devices as they change",
		Long: `Prints each device as it is now, then a line whenever something changes, until Ctrl-C. With -o json each line is an
object: a device, or {"deleted": "namespace/name"}.`,
		ValidArgsFunction: a.completeNames,
	})
	filterFlags(c, &f)
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, arg := range args {
			n, err := deviceName(arg)
			if err != nil {
				return err
			}
			names = append(names, n.String())
		}
		return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			w := &watcher{app: a, names: names, last: map[string]string{}}
			err := c.Watch(ctx, f, w.event)
			switch {
			case ctx.Err() != nil:
				return nil // Ctrl-C is how one stops looking
			case errors.Is(err, io.ErrUnexpectedEOF):
				return errors.New("the stream ended: the edge or the hub stopped, or this was too slow for it")
			}
			return err
		})
	})
	return c
}

// watcher prints events.
type watcher struct {
	*app
	names []string          // of interest; none: all
	last  map[string]string // what was printed last of each property, as the same device may be told twice
}

func (w *watcher) event(e deviceapi.Event) error {
	d := &e.Device
	name := d.FullName()
	if e.Kind == deviceapi.EventReady || len(w.names) > 0 && !slices.Contains(w.names, name) {
		return nil
	}
	if w.output == "json" {
		enc := json.NewEncoder(w.out)
		enc.SetEscapeHTML(false)
		if e.Kind == deviceapi.EventDeleted {
			return enc.Encode(map[string]string{"deleted": name})
		}
		return enc.Encode(d)
	}
	now := time.Now().Format(time.TimeOnly)
	if e.Kind == deviceapi.EventDeleted {
		for key := range w.last {
			if key == name || len(key) > len(name) && key[:len(name)+1] == name+" " {
				delete(w.last, key)
			}
		}
		_, err := fmt.Fprintf(w.out, "%s %s deleted\n", now, name)
		return err
	}
	if err := w.line(now, name, presence(d)); err != nil {
		return err
	}
	for _, prop := range properties(d) {
		p := d.Properties[prop]
		text := fmt.Sprintf("expected %s, actual %s", expectedText(&p), actualText(&p))
		if pending := pendingText(&p); pending != "" {
			text += " (" + pending + ")"
		}
		if err := w.line(now, name+" "+prop, text); err != nil {
			return err
		}
	}
	return nil
}

// line prints what is new of a thing.
func (w *watcher) line(now, thing, text string) error {
	if w.last[thing] == text {
		return nil
	}
	w.last[thing] = text
	_, err := fmt.Fprintf(w.out, "%s %s: %s\n", now, thing, text)
	return err
}
