package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "health",
		Usage: "[--url http://127.0.0.1:8080/health | --admin unix//run/llorch/admin.sock] [--ca FILE] [--timeout 5s]",
		Short: "Asks the gateway of this machine whether it is healthy",
		Long: `
Exit status 0 if the running gateway answers 200, else 1 and one line with the reason;
for the health check of a container or a service manager. No token is needed or sent.

--url is a public route, such as GET /health of an orchestrator behind the gateway. A
host name in it is not resolved: the connection goes to 127.0.0.1, and the name is what
the certificate is checked for. --admin asks the admin endpoint instead, which answers
as soon as the gateway runs, whatever its upstreams do.`,
		CobraFunc: func(cmd *cobra.Command) {
			var f healthFlags
			cmd.Flags().StringVar(&f.url, "url", "http://127.0.0.1:8080/health", "What to ask for")
			cmd.Flags().StringVar(&f.admin, "admin", "", "The admin endpoint to ask instead: unix//PATH or HOST:PORT")
			cmd.Flags().StringVar(&f.ca, "ca", "", "PEM file of the certificate's authority (default: those of the system)")
			cmd.Flags().DurationVar(&f.timeout, "timeout", backend.HealthTimeout, "How long the answer may take")
			cmd.MarkFlagsMutuallyExclusive("url", "admin")
			cmd.Args = cobra.NoArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				cmd.SilenceErrors, cmd.SilenceUsage = true, true
				err := f.ask(cmd.Context(), cmd.OutOrStdout())
				if err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), "llorch health:", err)
				}
				return err
			}
		},
	})
}

// adminRoute is the one route of the admin endpoint whose requests are not logged at
// level info: a check twice a minute would fill the log.
const adminRoute = "/metrics"

type healthFlags struct {
	url, admin, ca string
	timeout        time.Duration
}

func (f healthFlags) ask(ctx context.Context, stdout io.Writer) error {
	check := backend.HealthCheck{URL: f.url}
	if f.admin != "" {
		check.Address, _, _ = strings.Cut(f.admin, "|") // the Caddyfile has the socket's mode there
		check.URL = "http://" + check.Address + adminRoute
		if strings.HasPrefix(check.Address, "unix/") {
			check.URL = "http://localhost" + adminRoute
		}
	}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
		check.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		if !check.TLS.RootCAs.AppendCertsFromPEM(text) {
			return errors.New("--ca: the file has no certificate in PEM")
		}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if err := check.Ask(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s answers 200\n", check.URL)
	return err
}
