package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/store"
)

const migrateUsage = `usage: orchestratord migrate --config F --from-dir DIR   a single server's state into the cluster of F
       orchestratord migrate --config F --to-dir DIR     the state of F's cluster into a single server's directory

It runs as this host's replica (or as a client of the NATS cluster), so the
orchestratord of this host must be stopped, and the others must run. It creates keys,
never replaces one, and verifies each by reading it back. After an interruption, run it
again within an hour: it resumes. The source is unchanged except for a marker in DIR:
a second copy is refused, because it would run tasks again that have ended in the
target; --again copies all the same.
`

// migrate moves state between a single server's directory and a cluster.
func migrate(ctx context.Context, args []string, lookup backend.Lookup, stderr io.Writer) error {
	flags := flag.NewFlagSet("orchestratord migrate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, migrateUsage) }
	file := flags.String("config", "", "")
	from := flags.String("from-dir", "", "")
	to := flags.String("to-dir", "", "")
	again := flags.Bool("again", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if err := program.CheckVariables(); err != nil {
		return err
	}
	if flags.NArg() > 0 || (*from == "") == (*to == "") {
		return errors.New("migrate: want exactly one of --from-dir and --to-dir; see orchestratord migrate --help")
	}
	options, err := configure(*file, lookup)
	if err != nil {
		return err
	}
	if options.Cluster == nil && options.NATS == nil {
		return errors.New("migrate: the configuration names no cluster: set ORCHD_CLUSTER_NAME and what belongs to it, or ORCHD_NATS_URL")
	}
	if *from != "" {
		if _, err := os.Stat(filepath.Join(*from, "jetstream")); err != nil {
			return fmt.Errorf("migrate: %s holds no state: %w", *from, err)
		}
	}
	return move(ctx, options, *from, *to, *again, stderr)
}

func move(ctx context.Context, options app.Options, from, to string, again bool, stderr io.Writer) (err error) {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	alone, err := store.Open(ctx, store.Options{Dir: from + to, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	note := store.Move{Into: from != "", Cluster: nameOf(options), Begun: time.Now().UTC()}
	if err := note.Check(from + to); errors.Is(err, store.ErrMoved) && !again {
		return fmt.Errorf("migrate: %w; a second copy would run tasks again that have ended in the target; to copy all the same, pass --again", err)
	} else if err != nil && !again {
		return fmt.Errorf("migrate: %w", err)
	}
	fmt.Fprintln(stderr, "orchestratord: joining the cluster")
	cluster, err := store.Open(ctx, store.Options{Dir: options.StateDir, Cluster: options.Cluster, NATS: options.NATS, Fast: options.Durability == app.Fast, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	source, target := alone, cluster
	if to != "" {
		source, target = cluster, alone
	}
	if err := note.Begin(from + to); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	done, err := store.Copy(ctx, source, target)
	for _, c := range done {
		fmt.Fprintf(stderr, "orchestratord: %s: %d keys: %d created, %d already present, %d newer in the target and kept, %d expired; during the copy: %d changed and copied again, %d removed from the target; digest %x\n",
			c.Bucket, c.Source, c.Created, c.Present, c.Kept, c.Expired, c.Renewed, c.Gone, c.Digest[:8])
	}
	if err != nil {
		return fmt.Errorf("%w; to resume the copy, run the command again", err)
	}
	if err := note.End(from+to, time.Now().UTC()); err != nil {
		return fmt.Errorf("migrate: writing the copy marker after a complete copy: %w", err)
	}
	fmt.Fprintf(stderr, "orchestratord: copy complete and verified; marked in %s\n", from+to)
	return nil
}

// nameOf names the cluster of a configuration.
func nameOf(o app.Options) string {
	switch {
	case o.NATS != nil:
		return o.NATS.URL
	case o.Cluster != nil:
		return "cluster " + o.Cluster.Name
	}
	return ""
}
