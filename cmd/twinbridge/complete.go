package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

// completeTime bounds how long a shell waits for a completion.
const completeTime = 500 * time.Millisecond

// completeNames completes device names, those that stand there already left out.
func (a *app) completeNames(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	a.ask(cmd, func(ctx context.Context, c *deviceapi.Client) error {
		devices, err := c.Devices(ctx, deviceapi.Filter{})
		for i := range devices {
			name := devices[i].FullName()
			if bare, ok := strings.CutPrefix(name, twin.DefaultNamespace+"/"); ok {
				name = bare
			}
			if !slices.Contains(args, name) {
				out = append(out, name)
			}
		}
		return err
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeOne completes one device name.
func (a *app) completeOne(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeNames(cmd, args, begun)
}

// completeSet completes the device, then PROPERTY=, with values where the model lists them.
func (a *app) completeSet(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeNames(cmd, args, begun)
	}
	if strings.Contains(args[0], "=") { // the devices are chosen by flags
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	a.ask(cmd, func(ctx context.Context, c *deviceapi.Client) error {
		name, err := twin.ParseName(args[0])
		if err != nil {
			return err
		}
		d, err := c.Device(ctx, name)
		if err != nil {
			return err
		}
		words := valueWords(&d)
		for _, prop := range properties(&d) {
			if len(words[prop]) == 0 {
				out = append(out, prop+"=")
			}
			for _, word := range words[prop] {
				out = append(out, prop+"="+word)
			}
		}
		return nil
	})
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// valueWords gives the words that properties take.
func valueWords(d *deviceapi.Device) map[string][]string {
	words := map[string][]string{}
	for name, p := range d.Properties {
		if words[name] = p.Enum; p.Type == "bool" {
			words[name] = []string{"true", "false"}
		}
	}
	return words
}

// ask asks the edge for a completion; without an answer there is none.
func (a *app) ask(cmd *cobra.Command, f func(context.Context, *deviceapi.Client) error) {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTime)
	defer cancel()
	if err := a.withClient(ctx, f); err != nil {
		cobra.CompDebugln(err.Error(), false)
	}
}
