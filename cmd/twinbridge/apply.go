package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
	"twinbridge/internal/manifest"
)

func applyCommand(a *app) *cobra.Command {
	var files []string
	c := a.outputFlag(&cobra.Command{
		Use: "apply -f FILE|DIR|-", Short: "Make devices and models as manifests say", Args: cobra.NoArgs,
		Long: `Reads KubeEdge's manifests (Device and DeviceModel of devices.kubeedge.io, v1beta1 and v1alpha2) from files, folders or
standard input (-), and makes devices and models as they say: all of it, or none.`,
	})
	c.Flags().StringArrayVarP(&files, "filename", "f", nil, "file, folder or - (may be repeated)")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		if len(files) == 0 {
			return usage("-f is missing: expected a file, a folder or -")
		}
		text, err := a.manifests(files)
		if err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			defer a.progress("applying")()
			done, err := c.Apply(ctx, text)
			if err != nil {
				return err
			}
			return a.applied(&done)
		})
	})
	return c
}

// manifests reads all files into one text. Each is checked here already, because here its name and lines are known.
func (a *app) manifests(files []string) ([]byte, error) {
	var all bytes.Buffer
	var errs []error
	add := func(name string, r io.Reader) {
		text, err := io.ReadAll(io.LimitReader(r, deviceapi.MaxBody+1))
		if err == nil {
			_, err = manifest.Read(name, text)
		} else {
			err = fmt.Errorf("read %s: %w", name, err)
		}
		if err != nil {
			errs = append(errs, err)
			return
		}
		if all.Len() > 0 {
			all.WriteString("\n---\n")
		}
		all.Write(text)
	}
	for _, name := range files {
		if name == "-" {
			add("-", a.in)
			continue
		}
		paths, err := expand(name)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			add(path, f)
			if err := f.Close(); err != nil {
				return nil, fmt.Errorf("read %s: %w", path, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if all.Len() > deviceapi.MaxBody {
		return nil, fmt.Errorf("%s: expected at most %d bytes at once; apply some of the files at a time", strings.Join(files, ", "), deviceapi.MaxBody)
	}
	return all.Bytes(), nil
}

// expand gives the manifests of a folder, or the file itself.
func expand(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var paths []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if ok, err := filepath.Match(pattern, strings.ToLower(e.Name())); err != nil {
				return nil, err
			} else if ok && !e.IsDir() && e.Name()[0] != '.' {
				paths = append(paths, filepath.Join(name, e.Name()))
			}
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml, *.yml or *.json in it", name)
	}
	slices.Sort(paths)
	return paths, nil
}

func (a *app) applied(done *deviceapi.Applied) error {
	if a.output == "json" {
		return a.json(done)
	}
	for _, note := range done.Notes {
		fmt.Fprintln(a.err, "note: "+note)
	}
	for _, m := range done.Models {
		fmt.Fprintln(a.out, "model "+m+" applied")
	}
	for _, d := range done.Devices {
		fmt.Fprintln(a.out, "device "+d+" applied")
	}
	for i := range done.Wishes {
		fmt.Fprintln(a.out, "desired of "+wishText(&done.Wishes[i]))
	}
	return nil
}
