package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/edge"
)

// Exit codes. Scripts go by them.
const (
	exitOK      = 0 // applied, or accepted where nobody waits
	exitError   = 1
	exitUsage   = 2
	exitPending = 3 // still pending at the end of --wait
	exitEnded   = 4 // ended otherwise than applied
)

// terminal is what a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	called   string    // how the program was called
	started  time.Time // when it was
}

// app is what all commands share: the global flags.
type app struct {
	*terminal
	data   string // --data
	config string // --config
	server string // --server
	token  string // --token-file
	ca     string // --ca
	output string // -o
}

// exit is an error that ends the program with a certain code. Without a cause there is nothing left to say.
type exit struct {
	code  int
	cause error
}

func (e *exit) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.cause.Error()
}

func (e *exit) Unwrap() error { return e.cause }

// run runs the command line and gives the exit code.
func run(ctx context.Context, args []string, t *terminal) int {
	root := newRoot(&app{terminal: t})
	root.SetArgs(args)
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var e *exit
	if !errors.As(err, &e) {
		// What does not come from a command comes from the parsing of the line.
		fmt.Fprintf(t.err, "twinbridge: %v\nSee: %s --help\n", err, cmd.CommandPath())
		return exitUsage
	}
	if e.cause != nil {
		fmt.Fprintf(t.err, "twinbridge: %v\n", e.cause)
	}
	if e.code == exitUsage {
		fmt.Fprintf(t.err, "See: %s --help\n", cmd.CommandPath())
	}
	return e.code
}

// does makes of a function a cobra command's: an error without a code is exitError.
func does(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		var e *exit
		if err == nil || errors.As(err, &e) {
			return err
		}
		return &exit{exitError, err}
	}
}

// usage is a mistake in the command line.
func usage(format string, args ...any) error { return &exit{exitUsage, fmt.Errorf(format, args...)} }

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "twinbridge",
		Short: "Device twins for lamps and relays",
		Long: `twinbridge gives a lamp on a GPIO line a device twin: what is expected of it, and what it does. An edge node keeps the
twins of a house and speaks MQTT with mappers; a hub shows many houses, and hands wishes to them. Both answer this
command line.

  twinbridge up                                 start a hub and a node
  twinbridge edge                               start a node alone
  twinbridge device set lamp powerstatus=ON     switch a lamp

Exit codes: 0 applied, or accepted where nobody waits; 1 error; 2 usage; 3 still pending at the end of --wait;
4 ended otherwise than applied.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
	}
	group(root)
	f := root.PersistentFlags()
	f.StringVar(&a.data, "data", "", "data folder (default /var/lib/twinbridge for root, else twinbridge in the user's state folder)")
	f.StringVar(&a.config, "config", "", "configuration file (default twinbridge.yaml in the data folder)")
	f.StringVar(&a.server, "server", "", "URL of a hub to speak to, instead of the edge or the hub of the data folder")
	f.StringVar(&a.token, "token-file", "", "file with the API token for --server (default $TWINBRIDGE_TOKEN, else token in the data folder)")
	f.StringVar(&a.ca, "ca", "", "file of certificates (PEM) that vouch for --server (default hub-ca.crt in the data folder, else the system's)")
	root.AddCommand(
		upCommand(a), edgeCommand(a), cloudCommand(a), joinCommand(a), mapperCommand(a), applyCommand(a), deviceCommand(a),
		pairCommand(a), nodeCommand(a), tokenCommand(a), auditCommand(a), doctorCommand(a), versionCommand(a),
	)
	return root
}

// group makes a command that only has subcommands: it shows its help, and what it does not know is a mistake.
func group(c *cobra.Command) {
	c.Args = nil
	c.RunE = does(func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usage("%s", text)
	})
	c.SuggestionsMinimumDistance = 2
}

// outputFlag adds -o with text, json and what else the command can give.
func (a *app) outputFlag(c *cobra.Command, more ...string) *cobra.Command {
	forms := append([]string{"text", "json"}, more...)
	last := len(forms) - 1
	all := strings.Join(forms[:last], ", ") + " or " + forms[last]
	c.Flags().StringVarP(&a.output, "output", "o", "text", all)
	// It fails only for a flag that does not exist, or one that is completed already.
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
	pre := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(forms, a.output) {
			return usage("--output: %q: expected %s", a.output, all)
		}
		if pre != nil {
			return pre(cmd, args)
		}
		return nil
	}
	return c
}

// folder gives the data folder.
func (a *app) folder() (string, error) {
	if a.data == "" {
		return edge.DataFolder()
	}
	return filepath.Clean(a.data), nil
}

// files gives the data folder and the configuration in it, or where --config says.
func (a *app) files() (data, config string, err error) {
	if data, err = a.folder(); err != nil {
		return "", "", err
	}
	if a.config != "" {
		return data, a.config, nil
	}
	return data, edge.ConfigFile(data), nil
}
