package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
	"github.com/spf13/cobra"
)

// listedToken is a token as `token list --json` prints it.
type listedToken struct {
	Name      string           `json:"name"`
	Scopes    []authmin.Scope  `json:"scopes"`
	FP6       string           `json:"fp6"`
	State     string           `json:"state"`
	Created   string           `json:"created,omitempty"`
	NotBefore string           `json:"not_before,omitempty"`
	Expires   string           `json:"expires,omitempty"`
	Models    []string         `json:"models,omitempty"` // none: every model
	Budgets   []authmin.Budget `json:"budgets,omitempty"`
}

func tokenListCommand() *cobra.Command {
	var where keyringFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list (--file PATH | --config CADDYFILE) [--json]",
		Short: "Prints names, scopes, fingerprints, states and times",
		Args:  arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, _, err := where.resolve()
			if err != nil {
				return err
			}
			tokens, err := authmin.ReadKeyringFile(path)
			if err != nil {
				return err
			}
			list := make([]listedToken, 0, len(tokens))
			for i := range tokens {
				list = append(list, listed(&tokens[i], time.Now()))
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(list)
			}
			return printTokens(cmd.OutOrStdout(), list)
		},
	}
	where.addFile(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return cmd
}

func listed(t *authmin.Token, now time.Time) listedToken {
	return listedToken{
		Name: t.Name, Scopes: t.Scopes, FP6: t.Fingerprint(), State: caddymodule.TokenState(t.VerdictAt(now)),
		Created: moment(t.Created), NotBefore: moment(t.NotBefore), Expires: moment(t.Expires),
		Models: t.Models.Patterns(), Budgets: t.Budgets,
	}
}

func moment(second int64) string {
	if second == 0 {
		return ""
	}
	return time.Unix(second, 0).UTC().Format(time.RFC3339)
}

func printTokens(out io.Writer, list []listedToken) error {
	const gap = 2
	w := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	restricted := slices.ContainsFunc(list, func(t listedToken) bool { return t.Models != nil })
	head := "NAME\tSCOPES\tFP6\tSTATE\tCREATED\tEXPIRES"
	if restricted { // a column that most keyrings do not need
		head += "\tMODELS"
	}
	budgeted := slices.ContainsFunc(list, func(t listedToken) bool { return t.Budgets != nil })
	if budgeted {
		head += "\tBUDGETS"
	}
	_, _ = fmt.Fprintln(w, head)
	for _, t := range list {
		state := t.State
		if t.NotBefore != "" && state == caddymodule.TokenState(authmin.VerdictNotYet) {
			state += " (" + t.NotBefore + ")"
		}
		row := []string{t.Name, authmin.JoinScopes(t.Scopes, ","), t.FP6, state, orDash(t.Created), orDash(t.Expires)}
		if restricted {
			row = append(row, orDash(strings.Join(t.Models, ",")))
		}
		if budgeted {
			row = append(row, orDash(authmin.JoinBudgets(t.Budgets)))
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func fingerprintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fingerprint < FILE",
		Short: "Prints the fp6 of a token that it reads from stdin",
		Args:  arguments(0, 0, "the token on stdin, such as `token fingerprint < FILE`; every user of this machine can read arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), authmin.MaxTokenLength+2)) // 2: one line end, and one byte too much
			if err != nil {
				return fmt.Errorf("reading stdin: %w", err)
			}
			text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
			if text == "" || len(text) > authmin.MaxTokenLength || strings.ContainsAny(text, " \t\r\n") {
				return errors.New("stdin is not one token: want one line without spaces")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), authmin.NewSecret(text).Fingerprint())
			return err
		},
	}
}
