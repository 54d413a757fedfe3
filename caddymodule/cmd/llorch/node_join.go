package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// joining is one run of `node join`.
type joining struct {
	joinOptions
	token       authmin.Secret // of scope nodes
	authorities *x509.CertPool // nil: the system's
	caText      []byte         // what --ca holds
	files       []*nodeFile
	dispatch    authmin.Secret // what the orchestrator must send
	out         io.Writer
	outside     bool     // the orchestrator does not connect to this node's address yet
	left        []string // what is left to do
}

// errJoin is the end of a run that found something wrong, which has been printed.
var errJoin = errors.New("this node cannot join yet; see above")

// join checks, writes, and checks the way back. An error says that something is wrong;
// what is only left to do is printed.
func join(ctx context.Context, o joinOptions, out io.Writer) error {
	if ctx == nil { // cobra has none when Caddy starts it
		ctx = context.Background()
	}
	j := &joining{joinOptions: o, out: out}
	if err := j.read(); err != nil {
		return err
	}
	if err := j.plan(); err != nil {
		return err
	}
	j.say("orchestrator  %s", j.orchestrator)
	networks := j.networks(ctx)
	if err := j.askOrchestrator(ctx, networks); err != nil {
		j.say("  wrong: %v", err)
		j.say("Nothing was written.")
		return errJoin
	}
	if err := j.write(); err != nil {
		return err
	}
	j.say("this node     %s", j.address)
	if err := j.askGateway(ctx); err != nil {
		j.say("  wrong: %v", err)
		return errJoin
	}
	j.sayRest(networks)
	return nil
}

// read reads the files of the arguments, by the rules for files of secrets.
func (j *joining) read() (err error) {
	if j.token, err = authmin.SecretFromFile(j.tokenFile); err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	if j.ca != "" {
		if j.caText, err = authmin.AuthoritiesFile(j.ca); err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
		j.authorities = x509.NewCertPool()
		j.authorities.AppendCertsFromPEM(j.caText)
	}
	return j.checkCertificate()
}

func (j *joining) say(format string, args ...any) {
	_, _ = fmt.Fprintf(j.out, format+"\n", args...)
}

// sayRest prints what is left to do, and how the node is started.
func (j *joining) sayRest(networks []string) {
	if len(j.left) == 0 {
		j.say("\nThe node is reachable in both directions.")
		return
	}
	if len(networks) > 0 && j.outside {
		j.say("\nFor orchestratord.yaml, by the operator of the orchestrator, who decides:")
		j.say("  node_networks: [%s]", strings.Join(networks, ", "))
	}
	if j.ca != "" {
		j.say("\nThe orchestrator has to trust this node's certificate: node_ca in its orchestratord.yaml")
		j.say("names the authority, if that is a private one.")
	}
	j.say("\nLeft to do:")
	for i, what := range j.left {
		j.say("%d. %s", i+1, what)
	}
	j.say("Then run this command again: it changes nothing, and checks.")
}
