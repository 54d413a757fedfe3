// Bench compares reverse proxies on one machine: llorch with its guard, llorch without,
// the stock Caddy, nginx and HAProxy where they are installed, and any proxy that runs
// already. Each has the same upstream behind it, which answers as an LLM server does. The
// proxies take turns, so that what disturbs the machine disturbs them alike; the figures
// are medians over all rounds, with the interval in which the median lies with 95 %
// confidence.
//
//	go run ./integration/bench [flags]
//
// The clients and the upstream are in this process; the processor time is that of the
// proxy's processes alone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// settings are the flags.
type settings struct {
	rounds         int
	shapes, peers  string
	urls           []string // NAME=URL
	token          string
	jsonTo, plotTo string
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == authServiceCommand {
		log.Fatal(serveAuth(os.Args[2], os.Getenv(authServiceToken)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.SetFlags(0)
		log.Fatal("bench: ", err)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", 9, "turns of each proxy with each kind of request")
	flags.StringVar(&s.shapes, "shapes", "json/0.5KB,json/2KB,stream/64", "kinds of requests, of "+strings.Join(shapeNames(), ","))
	flags.StringVar(&s.peers, "peers", "", "proxies, of "+strings.Join(peerNames(), ",")+"; empty: all that can be had")
	flags.Func("url", "NAME=URL of a proxy that runs already; it needs the upstream of -upstream behind it; may be repeated", func(v string) error {
		s.urls = append(s.urls, v)
		return nil
	})
	flags.StringVar(&s.token, "token", "", "the token for the proxies of -url")
	upstream := flags.String("upstream", "127.0.0.1:0", "where the upstream listens")
	flags.StringVar(&s.jsonTo, "json", "", "a file for the figures as JSON")
	flags.StringVar(&s.plotTo, "svg", "", "a file for a plot of the processor time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || s.rounds < 1 {
		return errors.New("want flags only, and at least one round; see -help")
	}
	wanted, err := chooseShapes(s.shapes)
	if err != nil {
		return err
	}
	b, err := newSite(*upstream)
	if err != nil {
		return err
	}
	defer b.close()
	running, err := startPeers(ctx, b, s, progress)
	if err != nil {
		return err
	}
	defer stopAll(running)
	result, err := compareAll(ctx, b, running, wanted, s.rounds, progress)
	if err != nil {
		return err
	}
	result.print(out)
	if err := writeTo(s.jsonTo, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}); err != nil {
		return err
	}
	return writeTo(s.plotTo, result.plot)
}

func writeTo(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func shapeNames() (names []string) {
	for _, s := range shapes {
		names = append(names, s.name)
	}
	return names
}

func chooseShapes(list string) (chosen []shape, err error) {
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no kind of request %q; want some of %s", name, strings.Join(shapeNames(), ","))
		}
		chosen = append(chosen, shapes[i])
	}
	return chosen, nil
}
