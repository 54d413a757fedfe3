package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/llorch/gateway/authmin"
)

// cases run at one gateway with an upstream of this program, each once.
var cases = []struct {
	name string
	run  func(context.Context, *edge) error
}{
	{"reloads", caseReloads},
	{"revocation", caseRevocation},
	{"badtokens", caseBadTokens},
	{"slow", caseSlow},
}

func caseNames() (names []string) {
	for _, c := range cases {
		names = append(names, c.name)
	}
	return names
}

// runCases runs those that the flag names, and returns errBroken when one broke a rule.
func runCases(ctx context.Context, s settings, out io.Writer) error {
	wanted := strings.Split(s.cases, ",")
	for _, name := range wanted {
		if !slices.Contains(caseNames(), name) {
			return fmt.Errorf("there is no case %q; want some of %s", name, strings.Join(caseNames(), ","))
		}
	}
	broken := false
	for _, c := range cases {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		e, err := startEdge(ctx, s)
		if err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
		}
		begin := time.Now()
		err = c.run(ctx, e)
		fmt.Fprintf(out, "\ncase %s, %v\n", c.name, time.Since(begin).Round(time.Second))
		e.print(ctx, out)
		e.stop()
		if err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
		}
		broken = broken || !e.kept()
	}
	if broken {
		return errBroken
	}
	return nil
}

func (e *edge) print(ctx context.Context, out io.Writer) {
	var r report
	r.fill(e.tally)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(w, "  %s\t%d\n", name, r.Counts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Longest)) {
		fmt.Fprintf(w, "  longest: %s\t%.3f s\n", name, r.Longest[name])
	}
	for _, rule := range rules {
		fmt.Fprintf(w, "  broken: %s\t%d\n", rule, r.Rules[rule])
	}
	for _, note := range e.note {
		fmt.Fprintf(w, "  %s\n", note)
	}
	fmt.Fprintf(w, "  the gateway\t%s\n", e.resources(ctx))
	_ = w.Flush() // a table that cannot be printed is seen
	for _, b := range r.Breaches[:min(len(r.Breaches), 10)] {
		fmt.Fprintf(out, "  %s: %s\n", b.Rule, b.What)
	}
}

// resends is how often a request is sent again whose connection was closed before any part
// of an answer, as SDKs do: the old server of a reload closes some so. resendPause is
// between two of them.
const (
	resends     = 2
	resendPause = 250 * time.Millisecond
)

// ask makes one request and counts its answer: a valid one must succeed, another one must
// be refused.
func (e *edge) ask(ctx context.Context, client *http.Client, secret authmin.Secret, kind string, valid bool) {
	begin := time.Now()
	var status int
	var err error
	for try := 0; ; try++ {
		if status, err = e.send(ctx, client, secret); try == resends || status != 0 || !dropped(err) {
			break
		}
		e.add(kind + ": sent again, since the connection was closed before an answer")
		pause(ctx, resendPause)
	}
	switch {
	case ctx.Err() != nil && status == 0:
	case valid && (err != nil || status != http.StatusOK):
		e.breaks(ruleValid, "%s after %v: status %d, %v", kind, time.Since(begin), status, err)
	case !valid && status >= 200 && status < 300:
		e.breaks(ruleUnauthorised, "%s: status %d", kind, status)
	default:
		e.add(fmt.Sprintf("%s: %d", kind, status))
		e.took(kind, time.Since(begin))
	}
}

// send makes one request and reads its answer; status 0 is none.
func (e *edge) send(ctx context.Context, client *http.Client, secret authmin.Secret) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.address+"/v1/chat/completions", strings.NewReader(`{"model":"demo"}`))
	if err != nil {
		return 0, err
	}
	if !secret.IsZero() {
		r.Header.Set("Authorization", "Bearer "+secret.Reveal())
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// clients make requests in that many goroutines until the returned function is called.
// Every second one opens a connection for each request.
func (e *edge) clients(ctx context.Context, number int, between time.Duration, kind string, secret func() authmin.Secret, valid bool) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range number {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 1, DialContext: (&net.Dialer{}).DialContext}}
		kind := kind + []string{", kept connections", ", new connections"}[i%2]
		all.Go(func() {
			defer client.CloseIdleConnections()
			for pause(ctx, between) {
				e.ask(context.WithoutCancel(ctx), client, secret(), kind, valid)
			}
		})
	}
	return func() { cancel(); all.Wait() }
}
