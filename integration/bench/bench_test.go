// Package bench_test measures what the guard costs: the same Caddy in front of
// the same upstream, with authmin and without, in turn in one run. Machines are
// noisy, so every figure is a ratio.
//
//	go test -run '^$' -bench . -benchtime 20x ./integration/bench
package bench_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }

const (
	keyringSize = 10_000 // tokens, so that a look-up is no toy
	batch       = 2_000  // requests in one turn
	clients     = 8      // connections at once
)

// setup is one Caddy with a bare and a guarded site before one upstream.
type setup struct {
	bare, guarded string
	token         string
	client        *http.Client
	extra         map[string]http.Header // sent along, by address
	path          string
	batch         int // requests in one turn
}

func start(b *testing.B, audit string) *setup {
	b.Helper()
	return startWith(b, "lockout off\n\t\t"+audit, "")
}

// startWith takes more of the authmin block and of the global options.
func startWith(b *testing.B, authminBlock, global string) *setup {
	b.Helper()
	answer := []byte(strings.Repeat("x", 512))
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == streamPath {
			stream(w)
			return
		}
		_, _ = w.Write(answer)
	}))
	b.Cleanup(upstream.Close)
	s := &setup{
		bare: gatewaytest.FreeAddress(b, "127.0.0.1"), guarded: gatewaytest.FreeAddress(b, "127.0.0.1"),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
		path:   "/v1/chat/completions", batch: batch,
	}
	b.Cleanup(s.client.CloseIdleConnections)
	dir := b.TempDir()
	var keyring string
	keyring, s.token = writeKeyring(b, dir)
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period 1s
	log {
		output file %[1]s/log
		level ERROR
	}
	authmin {
		token_file %[2]s
		%[3]s
	}
	%[7]s
}
http://:%[4]s {
	bind 127.0.0.1
	reverse_proxy %[6]s
}
http://:%[5]s {
	bind 127.0.0.1
	authmin edge {
		public GET,HEAD /health
		require infer /v2/tasks /v2/tasks/*
		require metrics GET /metrics
		require infer /v1/*
		upstream_token {env.UPSTREAM}
	}
	reverse_proxy %[6]s
}
`, dir, keyring, strings.ReplaceAll(authminBlock, "{dir}", dir), port(s.bare), port(s.guarded), upstream.Listener.Addr(), global)
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	gatewaytest.Start(b, []string{"UPSTREAM=" + authmin.RandomSecret().Reveal()}, "run", "--adapter", "caddyfile", "--config", path)
	gatewaytest.Eventually(b, 20*time.Second, "the gateway", func() error {
		_, err := s.ask(s.guarded, s.token)
		return err
	})
	return s
}

// streamPath is answered as an engine answers a chat: an event a token, each
// flushed.
const (
	streamPath   = "/v1/chat/stream"
	streamTokens = 64
)

func stream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range streamTokens {
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token %d\"}}]}\n\n", i)
		_ = http.NewResponseController(w).Flush()
	}
}

// writeKeyring writes a keyring of the benchmark's size and returns one of its
// tokens, from the middle.
func writeKeyring(b *testing.B, dir string) (path, token string) {
	b.Helper()
	tokens := make([]authmin.Token, keyringSize)
	for i := range tokens {
		secret := authmin.RandomSecret()
		if i == keyringSize/2 {
			token = secret.Reveal()
		}
		tokens[i] = authmin.NewToken(fmt.Sprintf("t%d", i), secret, authmin.ScopeInfer)
	}
	path = filepath.Join(dir, "tokens")
	if err := authmin.WriteKeyringFile(path, tokens); err != nil {
		b.Fatal(err)
	}
	return path, token
}

func (s *setup) ask(address, token string) (int, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+address+s.path, strings.NewReader(`{"model":"m","stream":false}`))
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range s.extra[address] {
		r.Header[name] = value
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// turn sends a batch over all connections and returns how long it took.
func (s *setup) turn(b *testing.B, address, token string, want int) time.Duration {
	begin := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range s.batch / clients {
				if got, err := s.ask(address, token); err != nil || got != want {
					b.Errorf("got %d, %v, want %d", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// compare runs two kinds of turn alternately and reports the median of first to
// second, pair by pair.
func compare(b *testing.B, unit string, first, second func() time.Duration) {
	var ratios []float64
	second() // warm up
	first()
	for b.Loop() {
		x, y := first(), second()
		ratios = append(ratios, float64(x)/float64(y))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], unit)
	b.ReportMetric(0, "ns/op") // seconds of a turn say nothing
}

// BenchmarkGuardedToBare is the guarded throughput as a share of the bare one, in
// requests with an answer of half a kilobyte: the least that a guard can stand
// in front of.
func BenchmarkGuardedToBare(b *testing.B) {
	for name, global := range map[string]string{"audit-file": "audit file {dir}/audit", "audit-log": ""} {
		b.Run(name, func(b *testing.B) {
			s := start(b, global)
			compare(b, "guarded/bare",
				func() time.Duration { return s.turn(b, s.bare, s.token, 200) }, // the same request
				func() time.Duration { return s.turn(b, s.guarded, s.token, 200) })
		})
	}
}

// BenchmarkGuardedStreamsToBare is the same for what an LLM server sends: streams
// of events, one a token.
func BenchmarkGuardedStreamsToBare(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	s.path, s.batch = streamPath, batch/10
	compare(b, "guarded/bare",
		func() time.Duration { return s.turn(b, s.bare, s.token, 200) },
		func() time.Duration { return s.turn(b, s.guarded, s.token, 200) })
}

// BenchmarkGuardedToBareWithTheSameHeaders leaves out what the three header fields
// cost that a guard adds: the client of the bare site sends as many.
func BenchmarkGuardedToBareWithTheSameHeaders(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	s.extra = map[string]http.Header{s.bare: {
		"X-Some-Identity": {"ci"}, "X-Some-Scopes": {"infer"}, "X-Some-Id": {"D2UEEUTYXCONDFO27R7IH4PEVD"},
	}}
	compare(b, "guarded/bare",
		func() time.Duration { return s.turn(b, s.bare, s.token, 200) },
		func() time.Duration { return s.turn(b, s.guarded, s.token, 200) })
}

// BenchmarkBareToBare is how far from 1 the noise of this machine leads.
func BenchmarkBareToBare(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	turn := func() time.Duration { return s.turn(b, s.bare, s.token, 200) }
	compare(b, "bare/bare", turn, turn)
}

// BenchmarkRefusedToProxied is what a refusal costs in requests that are let
// through to the upstream, over new connections both times: a refusal closes its
// own.
func BenchmarkRefusedToProxied(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	s.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	compare(b, "refused/proxied",
		func() time.Duration { return s.turn(b, s.guarded, "no-such-token-no-such-token-no-such-token", 401) },
		func() time.Duration { return s.turn(b, s.guarded, s.token, 200) })
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}
