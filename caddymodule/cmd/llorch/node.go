package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "node",
		Usage: "join URL --token-file FILE",
		Short: "Sets up this machine as a node of an orchestrator",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = cobra.NoArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				return errors.New("want `llorch node join`; see llorch node join --help")
			}
			cmd.AddCommand(nodeJoinCommand())
		},
	})
}

func nodeJoinCommand() *cobra.Command {
	var o joinOptions
	cmd := &cobra.Command{
		Use:   "join URL --token-file FILE [--address URL] [--ca FILE] [--cert FILE --key FILE] [--dry-run]",
		Short: "Writes the configuration of a node's gateway and pool manager, and checks the way in both directions",
		Long: `
Writes, on a machine with GPUs, what its gateway and its pool manager need to serve an
orchestrator: Caddyfile, poolmanagerd.yaml, the keyring, and the files of the tokens. The
file of --token-file holds the node's token of scope nodes, which the orchestrator's
operator has made; the token that the orchestrator must send to this node is made here.

Nothing that is there is changed. A second run with the same arguments writes nothing,
says so, and checks again. If a file is there that differs from what is wanted, or the
orchestrator refuses the token, nothing is written at all.

Certificates are always verified: the orchestrator's by --ca, or by the system's
authorities, and this node's gateway in the same way, as the orchestrator will.`,
		Example: `  llorch node join https://orch.example.com --token-file gpu1.token --address https://gpu1.example.com
  llorch node join https://orch.internal --token-file gpu1.token --ca ca.pem --address https://gpu1.internal --cert gpu1.pem --key gpu1.key`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("want one URL, that of the orchestrator's gateway; a token has no place on a command line")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.orchestrator = args[0]
			if err := o.check(); err != nil {
				return err
			}
			return join(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error { // cobra's repeats what may be a token
		return errors.New("a flag is unknown or has no value; see llorch node join --help")
	})
	f := cmd.Flags()
	f.StringVar(&o.tokenFile, "token-file", "", "The file of this node's token, of scope nodes")
	f.StringVar(&o.address, "address", "", "The URL of this node's gateway, as the orchestrator reaches it (default: https:// and this host's full name)")
	f.StringVar(&o.ca, "ca", "", "PEM file of the private authorities of the certificates (default: the system's)")
	f.StringVar(&o.cert, "cert", "", "PEM file of the certificate of this node's gateway (default: a public one, by ACME)")
	f.StringVar(&o.key, "key", "", "PEM file of its key")
	f.StringVar(&o.dir, "dir", "/etc/llorch", "Where the files are written")
	f.StringVar(&o.nodeID, "node-id", "", "This node's name at the orchestrator (default: the host's name)")
	f.StringVar(&o.listen, "pool-manager", poolmanager.DefaultListen, "Where the pool manager listens; loopback only")
	f.BoolVar(&o.dryRun, "dry-run", false, "Write nothing: check, and print what would be written")
	return cmd
}

// joinOptions are the arguments of `node join`.
type joinOptions struct {
	orchestrator, address string // URLs
	tokenFile             string
	ca, cert, key         string // PEM files; "": none
	dir, nodeID, listen   string
	dryRun                bool
}

// check refuses what cannot work, and sets the defaults.
func (o *joinOptions) check() error {
	if err := checkSecureURL("the orchestrator's URL", o.orchestrator); err != nil {
		return err
	}
	o.orchestrator = strings.TrimRight(o.orchestrator, "/")
	if o.address == "" {
		name, err := os.Hostname()
		if err != nil || !strings.Contains(name, ".") {
			return errors.New("this host has no full name: say with --address https://NAME how the orchestrator reaches this node's gateway")
		}
		o.address = "https://" + name
	}
	if err := checkSecureURL("--address", o.address); err != nil {
		return err
	}
	o.address = strings.TrimRight(o.address, "/")
	if o.tokenFile == "" {
		return errors.New("--token-file is missing: the file of this node's token, which the orchestrator's operator makes with `llorch authmin token new NAME nodes`")
	}
	if (o.cert == "") != (o.key == "") {
		return errors.New("--cert and --key belong together: name both, or neither")
	}
	if o.cert == "" && !public(o.address) {
		return fmt.Errorf("no public authority gives a certificate for %s: name the files of one with --cert and --key", hostOfURL(o.address))
	}
	for _, path := range []*string{&o.tokenFile, &o.ca, &o.cert, &o.key, &o.dir} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("finding the working directory: %w", err)
		}
		*path = absolute
	}
	return o.checkNode()
}

// checkNode lets the pool manager's own declarations judge its settings.
func (o *joinOptions) checkNode() error {
	settings := poolmanager.Options{Listen: o.listen, NodeID: o.nodeID, Address: o.address, OrchestratorURL: o.orchestrator}
	declared := settings.Settings()
	if err := errors.Join(declared.FillDefaults(), declared.Check()); err != nil {
		return err
	}
	o.nodeID = settings.NodeID
	return checkLoopback(o.listen)
}

// checkSecureURL refuses what is no address of a gateway that other machines reach. It
// does not repeat the URL: it could hold a password.
func checkSecureURL(what, text string) error {
	if err := orchestrator.CheckNodeAddress(text); err != nil {
		return fmt.Errorf("%s: want https://HOST or https://HOST:PORT", what)
	}
	if !strings.HasPrefix(text, "https://") {
		return fmt.Errorf("%s: want https: tokens would travel in clear", what)
	}
	return nil
}

// public reports whether a public authority may certify the host of a URL.
func public(address string) bool {
	host := strings.ToLower(hostOfURL(address))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return false
	}
	for _, private := range []string{".internal", ".local", ".lan", ".localhost", ".test", ".home.arpa", ".invalid", ".intranet", ".corp", ".home"} {
		if strings.HasSuffix(host, private) {
			return false
		}
	}
	return true
}

func hostOfURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
