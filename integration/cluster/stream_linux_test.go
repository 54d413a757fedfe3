package cluster_test

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stream reads a task's events at one replica.
type stream struct {
	c     *cluster
	at    *replica
	res   *http.Response
	lines *bufio.Scanner
	last  int // id of the last event
}

func (c *cluster) follow(r *replica, id string, after int) *stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	c.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.http+"/v2/tasks/"+id+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.sign(req, "ci", "infer")
	if after > 0 {
		req.Header.Set("Last-Event-ID", strconv.Itoa(after))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("events of %s at %s: status %d", id, r.name, res.StatusCode)
	}
	c.t.Cleanup(func() { res.Body.Close() })
	return &stream{c: c, at: r, res: res, lines: bufio.NewScanner(res.Body), last: after}
}

// next gives the type of the next event, "" at the end. Ids follow each other.
func (s *stream) next() string {
	s.c.t.Helper()
	kind, id := "", 0
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			id, _ = strconv.Atoi(value)
		case "event":
			kind = value
		case "":
			if kind == "" {
				continue // the end of a comment
			}
			if id != s.last+1 {
				s.c.t.Errorf("%s: event %s has id %d after %d", s.at.name, kind, id, s.last)
			}
			s.last = id
			return kind
		}
	}
	return ""
}

// TestAStreamIsReadAtAnyReplica follows a task at a replica that does not run it,
// hangs up in the middle, and goes on at the third: no event twice, none missing,
// and each one soon after the engine has said it.
func TestAStreamIsReadAtAnyReplica(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start()
	hold := make(chan struct{})
	n := newNode(t, c, 1, hold)
	id, err := c.admitted(c.replicas[0])
	if err != nil {
		t.Fatal(err)
	}
	runner := n.runs(id, 1, 20*time.Second)
	var rest []*replica
	for _, r := range c.replicas {
		if r != runner {
			rest = append(rest, r)
		}
	}
	expect := func(s *stream, want ...string) {
		t.Helper()
		for _, kind := range want {
			got := s.next()
			for got == "metrics" && kind != "metrics" {
				got = s.next()
			}
			if got != kind {
				t.Fatalf("%s: got %q, want %q", s.at.name, got, kind)
			}
		}
	}
	first := c.follow(rest[0], id, 0)
	expect(first, "started", "token")
	begin := time.Now()
	hold <- struct{}{}
	expect(first, "token")
	t.Logf("a token took %s by way of another replica", time.Since(begin))
	first.res.Body.Close()
	second := c.follow(rest[1], id, first.last)
	hold <- struct{}{}
	expect(second, "token")
	hold <- struct{}{}
	expect(second, "end", "")
	for _, r := range c.replicas {
		expect(c.follow(r, id, 0), "started", "token", "token", "token", "end", "")
	}
}
