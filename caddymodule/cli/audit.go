package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, auditCommand)
}

// auditCommand is `authmin audit`.
func auditCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "audit",
		Short: "Checks the audit trail",
	})
	cmd.AddCommand(auditVerifyCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "verify FILE... --key KEYFILE",
		Short: "Checks that no record of a chained audit file was changed, removed or moved",
		Long: `
Follows the chain of an audit file, or of several in the order of their writing
(the oldest first), and names the first record that was edited, deleted,
reordered, cut off at the end, or computed anew without the key. It exits with 1
if there is one.

Every record carries the HMAC-SHA256 of its predecessor. Checkpoints, at least
every 5 seconds under load and every minute at rest, and FILE.head, written with
them, show a cut at the end of a file. A file that no gateway is writing has to
end in a checkpoint that closes it.

A holder of the key can forge records: the chain shows changes only by users who can
write the file and cannot read the key. Keep the key from the people and machines that
the trail has to convince, and send the trail to another machine as well (audit
syslog): a user who can write the file and FILE.head can restore older copies of both
while no gateway runs.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 || keyFile == "" {
				return fmt.Errorf("%s: want FILE... and --key KEYFILE", cmd.CommandPath())
			}
			return runAuditVerify(cmd, files, keyFile)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "path of the chain's key file")
	return cmd
}

func runAuditVerify(cmd *cobra.Command, files []string, keyFile string) error {
	cmd.SilenceUsage = true
	if !filepath.IsAbs(keyFile) {
		// The argument is not repeated: it could be the key itself.
		if _, err := os.Stat(keyFile); err != nil {
			return errors.New("--key names no file in this directory; want the path of the key file, such as --key /etc/llorch/audit.key")
		}
		absolute, err := filepath.Abs(keyFile)
		if err != nil {
			return fmt.Errorf("reading the key: %w", err)
		}
		keyFile = absolute
	}
	key, err := trail.ReadKey(keyFile)
	if err != nil {
		return err
	}
	report, err := trail.Verify(files, key, time.Now())
	for _, notice := range report.Notices {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", notice)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "intact: %d records, %d to %d, in %d files\n", report.Records, report.First, report.Last, report.Files)
	return nil
}
