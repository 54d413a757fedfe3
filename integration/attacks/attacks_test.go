package attacks_test

import (
	"fmt"
	"io"
	"iter"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
)

// differs names the raw cases whose expectation our contract overrules, with the
// reason. Such a case is run all the same, against what is put here.
var differs = map[string]struct {
	reason string
	expect expect
}{}

// reportVariable names a file for the closing line, for the CI run.
const reportVariable = "LLORCH_ATTACK_REPORT"

// TestAttacks sends every raw case of the corpus to the gateway.
func TestAttacks(t *testing.T) {
	t.Parallel()
	score := tally{}
	for c, got := range attackAll(t, startGateway(t), corpusFile, moreFile) {
		t.Run(c.ID, func(t *testing.T) {
			wrong := judge(c.Expect, got)
			score.add(c.Severity, len(wrong) == 0)
			for _, w := range wrong {
				t.Errorf("%s (%s): %s", c.Title, c.Severity, w)
			}
			if len(wrong) > 0 {
				t.Logf("sent %.300q\ngot %.600q", got.wire, got.raw)
			}
		})
	}
	t.Log(score)
	if file := os.Getenv(reportVariable); file != "" {
		if err := os.WriteFile(file, []byte(score.String()+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// TestAttacksCanFail sends the corpus to a proxy that guards nothing. The
// cases that still hold are those which Go's own HTTP server refuses, and
// those that must pass.
func TestAttacksCanFail(t *testing.T) {
	t.Parallel()
	upstream := startEcho(t)
	origin, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(origin)
			r.Out.Header.Set(peerHeader, r.In.RemoteAddr)
		},
		ErrorLog: log.New(io.Discard, "", 0), // it complains of attacks
	}
	_, host := pubHosts(t)
	to := target{pub: serve(t, host, proxy), loop: serve(t, "127.0.0.1", proxy), upstream: upstream}
	score := tally{}
	for c, got := range attackAll(t, to, corpusFile) {
		score.add(c.Severity, len(judge(c.Expect, got)) == 0)
	}
	t.Logf("unguarded: %s", score)
	// Without a guard, four of five critical cases fail. If fewer do, the runner
	// no longer notices a broken guard.
	if critical := score["critical"]; critical.failed < 4*critical.passed {
		t.Errorf("critical cases: %d failed and %d passed without any guard; the runner must notice more", critical.failed, critical.passed)
	}
}

// attackAll carries out the raw cases one by one and yields each with its
// outcome. Nothing is judged before all are over, so that a request that
// reaches the upstream after its case's answer is seen.
func attackAll(t *testing.T, to target, files ...string) iter.Seq2[testCase, outcome] {
	t.Helper()
	type exchanged struct {
		testCase
		wire, raw []byte
		peer      string
	}
	var all []exchanged
	for _, c := range rawCases(t, files...) {
		if d, ok := differs[c.ID]; ok {
			t.Logf("%s is judged by our contract: %s", c.ID, d.reason)
			c.Expect = d.expect
		}
		address := to.pub
		if c.Target == "loop" {
			address = to.loop
		}
		wire, err := expand(c.Raw, address)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		conn, err := net.DialTimeout("tcp", address, dialWait)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		raw := exchangeOn(conn, wire, c.Responses)
		all = append(all, exchanged{c, wire, raw, conn.LocalAddr().String()})
		defer conn.Close() // not sooner: no other case shall have its port
	}
	return func(yield func(testCase, outcome) bool) {
		for _, e := range all {
			got := newOutcome(e.wire, e.raw, to.upstream.requestsOf(e.peer))
			if got.reached && got.requests == 0 {
				t.Errorf("%s: the upstream answered a request that it did not count", e.ID)
			}
			if !yield(e.testCase, got) {
				return
			}
		}
	}
}

func serve(t *testing.T, host string, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

// tally counts by severity.
type tally map[string]struct{ passed, failed int }

func (t tally) add(severity string, ok bool) {
	n := t[severity]
	if ok {
		n.passed++
	} else {
		n.failed++
	}
	t[severity] = n
}

func (t tally) String() string {
	var parts []string
	passed, failed := 0, 0
	for _, severity := range []string{"critical", "high", "medium", "low"} {
		n := t[severity]
		passed, failed = passed+n.passed, failed+n.failed
		parts = append(parts, fmt.Sprintf("%s %d/%d", severity, n.passed, n.passed+n.failed))
	}
	return fmt.Sprintf("attack cases: %d passed, %d failed (%s)", passed, failed, strings.Join(parts, ", "))
}
