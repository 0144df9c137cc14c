package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"twinbridge/internal/deviceapi"
)

func tokenCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "token", Aliases: []string{"tokens"}, Short: "Make and end API tokens of a hub",
		Long: "A token has a role: a viewer reads, an operator wishes, an admin defines devices and rules over nodes and tokens.",
	}
	group(c)
	c.AddCommand(a.tokenList(), a.tokenCreate(), &cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeToken,
		RunE: does(func(cmd *cobra.Command, args []string) error {
			return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				if err := c.RevokeToken(ctx, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "token %s: revoked\n", args[0])
				return nil
			})
		}),
	})
	return c
}

func (a *app) tokenList() *cobra.Command {
	return a.outputFlag(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the tokens, without their secrets", Args: cobra.NoArgs,
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
				list, err := c.Tokens(ctx)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.json(list)
				}
				rows := []string{"ID\tNAME\tROLE\tCREATED\tEXPIRES\tLAST USED\t"}
				for i := range list.Tokens {
					t := &list.Tokens[i]
					rows = append(rows, strings.Join([]string{t.ID, t.Name, t.Role, day(&t.Created), day(t.Expires), t.LastUsed}, "\t"))
				}
				return a.table(rows)
			})
		}),
	})
}

func (a *app) tokenCreate() *cobra.Command {
	var in deviceapi.TokenAsk
	var expires time.Duration
	c := a.outputFlag(&cobra.Command{
		Use: "create", Short: "Make a token; its secret is told once", Args: cobra.NoArgs,
		Example: "  twinbridge token create --name dashboard --role viewer --expires 720h",
	})
	c.Flags().StringVar(&in.Name, "name", "", "name, which stands in the audit")
	c.Flags().StringVar(&in.Role, "role", "", "viewer, operator or admin")
	c.Flags().DurationVar(&expires, "expires", 0, "how long it is good (default for ever)")
	// It fails only for a flag that does not exist, or one that is completed already.
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(
		[]string{deviceapi.RoleViewer, deviceapi.RoleOperator, deviceapi.RoleAdmin}, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		if in.Name == "" || in.Role == "" {
			return usage("--name and --role are needed")
		}
		if cmd.Flags().Changed("expires") {
			in.ValidFor = expires.String()
		}
		return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			t, err := c.MakeToken(ctx, in)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.json(t)
			}
			fmt.Fprintln(a.out, t.Secret)
			fmt.Fprintf(a.err, "token %s of %s, role %s; the line above is not told again\n", t.ID, t.Name, t.Role)
			return nil
		})
	})
	return c
}

// completeToken completes the id of a token.
func (a *app) completeToken(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	if len(args) == 0 {
		a.ask(cmd, func(ctx context.Context, c *deviceapi.Client) error {
			list, err := c.Tokens(ctx)
			for i := range list.Tokens {
				out = append(out, cobra.CompletionWithDesc(list.Tokens[i].ID, list.Tokens[i].Name))
			}
			return err
		})
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func auditCommand(a *app) *cobra.Command {
	var f deviceapi.AuditFilter
	c := a.outputFlag(&cobra.Command{Use: "audit", Short: "Show who did what at a hub, newest first", Args: cobra.NoArgs})
	c.Flags().StringVar(&f.Device, "device", "", "only what is about this device")
	c.Flags().StringVar(&f.Who, "who", "", "only what this token, by name, or person did")
	c.Flags().IntVar(&f.Limit, "limit", 50, "at most so many, up to 1000")
	c.Flags().StringVar(&f.Cursor, "cursor", "", "go on there; the page before ends with it")
	c.RunE = does(func(cmd *cobra.Command, _ []string) error {
		if f.Limit < 1 || f.Limit > 1000 {
			return usage("--limit: %d: expected 1 to 1000", f.Limit)
		}
		return a.withHub(cmd.Context(), func(ctx context.Context, c *deviceapi.Client) error {
			page, err := c.Audit(ctx, f)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.json(page)
			}
			rows := []string{"AT\tWHO\tROLE\tACTION\tOBJECT\t\t"}
			for i := range page.Entries {
				e := &page.Entries[i]
				why := ""
				if e.Refused != "" {
					why = "refused: " + e.Refused
				}
				rows = append(rows, strings.Join([]string{e.At.Local().Format(time.DateTime), e.Who, e.Role, e.Action, e.Object, e.Detail, why}, "\t"))
			}
			if err := a.table(rows); err != nil || page.Next == "" {
				return err
			}
			fmt.Fprintln(a.err, "there is more: --cursor "+page.Next)
			return nil
		})
	})
	return c
}
