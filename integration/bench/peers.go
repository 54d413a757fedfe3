package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// peer is a kind of proxy.
type peer struct {
	name, description string
	start             func(ctx context.Context, b *bench, p *proxy) error
}

// peers are the proxies, the upstream itself first.
var peers = []peer{
	{"direct", "no proxy", func(_ context.Context, b *bench, p *proxy) error {
		p.base = b.upstream.URL
		return nil
	}},
	{"llorch", "guarded: token, policy, audit trail to a file", startLlorch(`
	authmin edge {
		require infer /v1/*
		upstream_token {env.UPSTREAM}
	}`)},
	{"llorch-usage", "the same, and the tokens of each call are counted", startLlorch(`
	authmin edge {
		require infer /v1/*
		model_in body /v1/*
		usage
		upstream_token {env.UPSTREAM}
	}`)},
	{"llorch-bare", "the same program without a guard", startLlorch("")},
	{"caddy", "the stock Caddy: reverse_proxy alone", startCaddy("")},
	{"caddy-forward_auth", "the stock Caddy, which asks a service of its own about each token", startCaddy(`
	forward_auth {env.AUTH} {
		uri /
	}`)},
	{"nginx", "nginx: proxy_pass alone, two workers", startNginx},
	{"haproxy", "HAProxy: a backend alone, two threads", startHAProxy},
}

func peerNames() (names []string) {
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// build builds a program once for all proxies that run it.
func (b *bench) build(ctx context.Context, source string) (string, error) {
	path := filepath.Join(b.dir, "bin-"+strings.ReplaceAll(source, "/", "_"))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-ldflags=-w", "-o", path, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", source, err, out)
	}
	return path, nil
}

// prepare makes a folder with a configuration, and chooses the address.
func (b *bench) prepare(p *proxy, file, config string) (dir, path string, err error) {
	address, err := freeAddress()
	if err != nil {
		return "", "", err
	}
	p.base, dir = "http://"+address, filepath.Join(b.dir, p.Name)
	path = filepath.Join(dir, file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	_, port, _ := net.SplitHostPort(address)
	config = strings.NewReplacer("ADDRESS", address, "PORT", port, "UPSTREAM_ADDRESS", b.upstream.Listener.Addr().String(), "DIR", dir).Replace(config)
	return dir, path, os.WriteFile(path, []byte(config), 0o600)
}

// startLlorch runs llorch with a guard, or without one.
func startLlorch(guard string) func(context.Context, *bench, *proxy) error {
	return func(ctx context.Context, b *bench, p *proxy) error {
		program, err := b.build(ctx, "github.com/llorch/gateway/caddymodule/cmd/llorch")
		if err != nil {
			return err
		}
		dir, config, err := b.prepare(p, "Caddyfile", caddyOptions("\n\tauthmin {\n\t\ttoken bench {env.BENCH_TOKEN} infer\n\t\taudit file DIR/audit\n\t}")+caddySite(guard))
		if err != nil {
			return err
		}
		return p.start(ctx, dir, []string{"BENCH_TOKEN=" + b.token, "UPSTREAM=" + authmin.RandomSecret().Reveal()},
			program, "run", "--adapter", "caddyfile", "--config", config)
	}
}

// startCaddy runs the Caddy that is in go.mod, as its own command builds it.
func startCaddy(check string) func(context.Context, *bench, *proxy) error {
	return func(ctx context.Context, b *bench, p *proxy) error {
		program, err := b.build(ctx, "github.com/caddyserver/caddy/v2/cmd/caddy")
		if err != nil {
			return err
		}
		dir, config, err := b.prepare(p, "Caddyfile", caddyOptions("")+caddySite(check))
		if err != nil {
			return err
		}
		var env []string
		if check != "" {
			service, err := freeAddress()
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			env = append(env, "AUTH="+service)
			if err := p.start(ctx, dir, []string{authServiceToken + "=" + b.token}, self, authServiceCommand, service); err != nil {
				return err
			}
		}
		return p.start(ctx, dir, env, program, "run", "--adapter", "caddyfile", "--config", config)
	}
}

func caddyOptions(more string) string {
	return "{\n\tadmin off\n\tpersist_config off\n\tgrace_period 1s\n\tlog {\n\t\toutput discard\n\t}" + more + "\n}\n"
}

func caddySite(more string) string {
	return "http://:PORT {\n\tbind 127.0.0.1" + more + "\n\treverse_proxy UPSTREAM_ADDRESS\n}\n"
}

const (
	authServiceCommand = "auth-service"
	authServiceToken   = "BENCH_AUTH_TOKEN"
)

// serveAuth is the least that a service for forward_auth does.
func serveAuth(address, token string) error {
	want := authmin.NewSecret(token).Digest()
	check := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !want.Equal(authmin.NewSecret(given).Digest()) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	server := &http.Server{Addr: address, Handler: check, DisableGeneralOptionsHandler: true}
	return server.ListenAndServe()
}
