package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
)

// maxStatusBytes bounds the answer: a dozen groups of 200 bytes.
const maxStatusBytes = 1 << 20

// errNotReady gives the exit status of a replica that takes no work; the output says why.
var errNotReady = errors.New("status: it takes no work")

// status asks the orchestrator that runs with the same configuration for GET
// /v2/meta/replica, with one of its own credentials.
func status(ctx context.Context, args []string, lookup backend.Lookup, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("orchestratord status", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "YAML `file` of the daemon that is asked")
	raw := flags.Bool("json", false, "print the answer as it is")
	timeout := flags.Duration("timeout", backend.HealthTimeout, "how long the answer may take")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("status: unexpected argument %q; see orchestratord status --help", flags.Arg(0))
	}
	options, err := configure(*file, lookup)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	answer, err := backend.LocalCheck(options.Listen, "/v2/meta/replica").Get(ctx, credential(options), maxStatusBytes)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	var r orchestrator.Replica
	if err := json.Unmarshal(answer, &r); err != nil {
		return fmt.Errorf("status: reading the answer: %w", err)
	}
	if *raw {
		_, err = stdout.Write(answer)
	} else {
		err = writeStatus(stdout, r)
	}
	if err == nil && r.NotReady != "" {
		err = errNotReady
	}
	return err
}

// credential is a caller's own, or else the gateway's, which has to name a scope.
func credential(o app.Options) http.Header {
	header := make(http.Header)
	switch {
	case !o.Token.IsZero():
		header.Set("Authorization", "Bearer "+o.Token.Reveal())
	case !o.UpstreamToken.IsZero():
		header.Set("Authorization", "Bearer "+o.UpstreamToken.Reveal())
		header.Set("X-Auth-Identity", "orchestratord-status")
		header.Set("X-Auth-Scopes", string(authmin.ScopeMetrics))
	}
	return header
}

// writeStatus writes a page for people.
func writeStatus(w io.Writer, r orchestrator.Replica) error {
	work := "takes work"
	if r.NotReady != "" {
		work = "takes no work: " + string(r.NotReady)
	}
	if r.Schedules {
		work += ", schedules"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "replica\t%s: %s\n", r.Name, work)
	fmt.Fprintf(t, "replicas\t%d of %d connected\n", r.Connected, r.Replicas)
	fmt.Fprintf(t, "nodes\t%d known\n", r.NodesKnown)
	if r.Disk != nil {
		fmt.Fprintf(t, "disk\t%d MiB free, %d required\n", r.Disk.Free>>20, r.Disk.Required>>20)
	}
	fmt.Fprintf(t, "safe to lose another\t%s\n", yes(r.MayLose))
	if err := t.Flush(); err != nil || len(r.Groups) == 0 {
		return err
	}
	fmt.Fprint(t, "\nGROUP\tLEADER\tTERM\tLAG\tCURRENT\tSAFE TO LOSE ANOTHER\n")
	for _, g := range r.Groups {
		leader := g.Leader
		if leader == "" {
			leader = "none"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d/%d\t%s\n", g.Name, leader, g.Term, g.Lag, g.Current, r.Replicas, yes(g.MayLose))
	}
	return t.Flush()
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
