// Command bench measures the real binary as people use it: it starts edges as processes of their own, with data folders
// on a real disk and brokers on free ports, speaks to them through socket, REST, MQTT and the link, and prints one table:
// our figure, the target, and what a stock KubeEdge edgecore does. Of the product only the joining of a hub is linked into
// it. HomeKit's figures stand in a table of their own, beside those of three other accessory servers that are asked the
// same in the same run.
//
// Times depend on the machine, so the table begins with the machine, and Mosquitto runs beside our broker as the floor
// that no broker on that machine goes below. A time that misses its target is marked and is no error; a count that is
// wrong (out of order, lost) is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// wholeTime bounds all measurements together.
const wholeTime = 20 * time.Minute

// bench is what all measurements are handed.
type bench struct {
	binary string
	dir    string // its own, on the disk that is measured
	log    io.Writer
	next   int // number of the next data folder
	table  table
	peers  string // folder with HAP-NodeJS and what runs the other servers of HomeKit
	python string // an interpreter that has HAP-python
	hap    table  // of HomeKit, beside these
}

// part is a group of measurements that share an edge.
type part struct {
	name    string
	measure func(*bench, context.Context) error
}

var parts = []part{
	{"start", (*bench).start},
	{"wishes", (*bench).wishes},
	{"outside", (*bench).outside},
	{"reports", (*bench).reports},
	{"floor", (*bench).floor},
	{"order", (*bench).order},
	{"folder", (*bench).folder},
	{"stream", (*bench).stream},
	{"lamps", (*bench).lamps},
	{"up", (*bench).up},
	{"heal", (*bench).heal},
	{"fleet", (*bench).fleet},
	{"homekit", (*bench).homekit},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	binary := flags.String("binary", "bin/twinbridge", "the program to measure")
	disk := flags.String("disk", "bin", "folder on the disk to measure; a new one is made in it and removed")
	only := flags.String("only", "", "parts to measure, separated by commas; all if empty: "+names())
	peers := flags.String("peers", "test/bench/peers", "folder with the servers that HomeKit's figures are held against; npm has to have filled it")
	python := flags.String("python", "", "an interpreter that has HAP-python; that server is left out if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()

	b := &bench{log: log, python: *python}
	if b.binary, err = filepath.Abs(*binary); err != nil {
		return err
	}
	if b.peers, err = filepath.Abs(*peers); err != nil {
		return err
	}
	if err := onDisk(*disk); err != nil {
		return err
	}
	root, err := filepath.Abs(*disk)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(root, "bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()

	m, err := lookAtMachine(b.dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range chosen {
		fmt.Fprintf(log, "%s ...\n", p.name)
		if err := p.measure(b, ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	fmt.Fprintln(out, m)
	for _, t := range []*table{&b.table, &b.hap} {
		if len(t.rows) > 0 {
			fmt.Fprintln(out, t.markdown())
		}
		failed = append(failed, t.wrong()...)
	}
	return errors.Join(failed...)
}

func names() string {
	list := make([]string, len(parts))
	for i := range parts {
		list[i] = parts[i].name
	}
	return strings.Join(list, ",")
}

func choose(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	var out []part
	for want := range strings.SplitSeq(only, ",") {
		found := false
		for _, p := range parts {
			if p.name == want {
				out, found = append(out, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-only: no part %q; expected some of %s", want, names())
		}
	}
	return out, nil
}
