package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, usageCommand)
}

// usageFlags are the flags of `authmin usage`.
type usageFlags struct {
	since string
	by    []string
	json  bool
	csv   bool
}

// usageDimensions are what records can be added up by.
var usageDimensions = []string{"identity", "model", "day"}

// usageCommand is `authmin usage`.
func usageCommand() *cobra.Command {
	var flags usageFlags
	cmd := &cobra.Command{
		Use:   "usage FILE... [--since T] [--by identity,model,day] [--json|--csv]",
		Short: "Adds up the tokens of calls in the audit trail",
		Long: `
Reads the records of calls, which a guard with 'usage' writes, from audit files: from
several in the order of their writing (the oldest first), rotated or not, chained or not,
and from Caddy's log in JSON, where the trail goes without 'audit file'.

Each row has the calls and their tokens, and how many calls were estimated, aborted or
without figures of the engine. The name of a token stands for its identity, and the model
is the one that was asked for, or else the one that answered. A day is one of UTC.

Records that are missing from a chain are named on stderr; then it exits with 1, after
the sums. That finds what a crash or a lost file leaves out. Whether records were changed
shows 'authmin audit verify', which needs the key.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return fmt.Errorf("%s: want FILE..., the files of the audit trail", cmd.CommandPath())
			}
			return flags.run(cmd, files)
		},
	}
	cmd.Flags().StringVar(&flags.since, "since", "", "only calls that ended since then: a duration such as 30d, a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
	cmd.Flags().StringSliceVar(&flags.by, "by", []string{"identity", "model"}, "what to add up by: identity, model, day")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print a JSON array")
	cmd.Flags().BoolVar(&flags.csv, "csv", false, "print comma-separated values")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	return cmd
}

func (f *usageFlags) run(cmd *cobra.Command, files []string) error {
	since, err := parseSince(f.since, time.Now())
	if err != nil {
		return err
	}
	sums := usageSums{since: since, rows: map[usageKey]*usageRow{}}
	for _, dimension := range f.by {
		if !slices.Contains(usageDimensions, dimension) || slices.Contains(sums.by, dimension) {
			return errors.New("--by: want identity, model and day, or some of them, with commas between them")
		}
		sums.by = append(sums.by, dimension)
	}
	cmd.SilenceUsage = true
	broken, gaps, err := trail.Records(files, sums.add)
	if err != nil {
		return err
	}
	if sums.full {
		return fmt.Errorf("more than %d rows: add up by less than %s, or --since a later time", maxUsageRows, strings.Join(sums.by, ","))
	}
	for _, gap := range gaps {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", gap)
	}
	if sums.unread > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %d records of calls could not be read\n", sums.unread)
	}
	rows := sums.sorted()
	switch {
	case f.json:
		err = writeUsageJSON(cmd.OutOrStdout(), rows)
	case f.csv:
		err = writeUsageCSV(cmd.OutOrStdout(), sums.by, rows)
	default:
		err = writeUsageTable(cmd.OutOrStdout(), sums.by, rows)
	}
	if err != nil {
		return fmt.Errorf("writing the sums: %w", err)
	}
	for _, where := range broken {
		fmt.Fprintln(cmd.ErrOrStderr(), "broken:", where)
	}
	if len(broken) > 0 {
		return errors.New("the chain is broken: the sums are of the records that are there")
	}
	return nil
}

// parseSince reads a duration before now, a day of UTC, or an RFC 3339 time. Empty is the
// zero time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	d, err := caddy.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, errors.New("--since: want a duration such as 30d or 12h, a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
	}
	return now.Add(-d), nil
}
