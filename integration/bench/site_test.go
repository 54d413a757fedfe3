package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	keyringSize = 10_000 // tokens, so that a look-up is no toy
	mostClients = 64     // connections at once
)

// setup is one Caddy with a bare, a guarded and a counted site before one upstream.
type setup struct {
	bare, guarded string
	counted       string // guarded, with usage
	token         string
	client        *http.Client
	extra         map[string]http.Header // sent along, by address
	path          string
	prompt        string // the body of a request
	header        http.Header
	clients       int // connections at once
	batch         int // requests in one turn
	gateway       *gatewaytest.Process
}

func start(b *testing.B, audit string) *setup {
	b.Helper()
	return startWith(b, "lockout off\n\t\t"+audit, "")
}

// startWith takes more of the authmin block and of the global options.
func startWith(b *testing.B, authminBlock, global string) *setup {
	b.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(engine))
	b.Cleanup(upstream.Close)
	s := &setup{
		bare: testkit.FreeAddress(b), guarded: testkit.FreeAddress(b), counted: testkit.FreeAddress(b),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: mostClients}},
	}
	s.shape(shapes[len(shapes)-1])
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
http://:%[8]s {
	bind 127.0.0.1
	authmin counted {
		require infer /v1/*
		model_in body /v1/*
		usage
		upstream_token {env.UPSTREAM}
	}
	reverse_proxy %[6]s
}
`, dir, keyring, strings.ReplaceAll(authminBlock, "{dir}", dir), port(s.bare), port(s.guarded), upstream.Listener.Addr(), global, port(s.counted))
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	s.gateway = gatewaytest.Start(b, []string{"UPSTREAM=" + authmin.RandomSecret().Reveal()}, "run", "--adapter", "caddyfile", "--config", path)
	testkit.Within(b, 20*time.Second, "the gateway", func() error {
		_, err := s.ask(s.guarded, s.token)
		return err
	})
	return s
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
	r, err := http.NewRequest(http.MethodPost, "http://"+address+s.path, strings.NewReader(s.prompt))
	if err != nil {
		return 0, err
	}
	for name, value := range s.header {
		r.Header[name] = value
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

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// shape makes the requests of the turns to come be of this kind.
func (s *setup) shape(like shape) {
	s.header, s.path, s.clients, s.batch, s.prompt = like.header, like.path, like.clients, like.batch, like.body()
}
