package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/caddymodule"
	orchestratorapp "github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager"
)

// homeNodeID names the one node of this process at its orchestrator.
const homeNodeID = "home"

// credentials authenticate the parts of this process to each other. They are
// generated at every start and live in memory.
type credentials struct {
	upstream     authmin.Secret // gateway → backends
	node         authmin.Secret // pool manager → gateway, scope nodes
	orchestrator authmin.Secret // for the readiness check
	poolManager  authmin.Secret // orchestrator → pool manager
}

func newCredentials() credentials {
	return credentials{
		upstream: authmin.RandomSecret(), node: authmin.RandomSecret(),
		orchestrator: authmin.RandomSecret(), poolManager: authmin.RandomSecret(),
	}
}

// runHome starts all parts, prints the welcome text, and stops all parts when ctx
// ends.
func runHome(ctx context.Context, o upOptions) (err error) {
	if err := preflight(ctx, o); err != nil {
		return err
	}
	if err := prepareDataDir(o.dataDir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.budgetsDir(), 0o700); err != nil {
		return fmt.Errorf("creating the directory of the counts of budgets: %w", err)
	}
	if o.listen, err = checkFree("--listen", o.listen); err != nil {
		return err
	}
	if err = o.placePage(); err != nil {
		return err
	}
	client, err := ensureToken(o)
	if err != nil {
		return err
	}
	h := &home{secrets: newCredentials()}
	defer func() { err = errors.Join(err, h.stop()) }()
	// The gateway stops last: the pool manager deregisters through it, and the
	// orchestrator ends the streams that it proxies.
	gateway := false
	h.cleanups.Push("the gateway", func(context.Context) error {
		if gateway {
			return caddy.Stop()
		}
		return nil
	})
	if err := h.startOrchestrator(ctx, &o); err != nil {
		return fmt.Errorf("starting the orchestrator: %w", err)
	}
	if err := h.startPoolManager(ctx, &o); err != nil {
		return fmt.Errorf("starting the pool manager: %w", err)
	}
	if err := startGateway(o, client, h.secrets); err != nil {
		return err
	}
	gateway = true
	model, err := waitReady(ctx, o, h.secrets, os.Stderr)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	if err := printWelcome(os.Stdout, o, client, model); err != nil {
		return err
	}
	if o.open {
		opener{runtime.GOOS, os.Getenv, exec.LookPath, startAndReap}.open(os.Stdout, o.pageURL())
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.orchestrator.Failed():
		return fmt.Errorf("the orchestrator stopped: %w", err)
	case err := <-h.pools.Failed():
		return fmt.Errorf("the pool manager stopped: %w", err)
	}
}

// home holds the parts that run in this process.
type home struct {
	secrets      credentials
	orchestrator *orchestratorapp.Service
	pools        *poolmanager.Service
	cleanups     backend.Cleanups
}

func (h *home) startOrchestrator(ctx context.Context, o *upOptions) error {
	err := startBackend(*o, orchestratorapp.DefaultListen, func(listen string) (err error) {
		h.orchestrator, err = orchestratorapp.Start(ctx, orchestratorapp.Options{
			Listen: listen, StateDir: filepath.Join(o.dataDir, "orchestrator"),
			Token: h.secrets.orchestrator, UpstreamToken: h.secrets.upstream, Log: caddySlog("orchestrator"),
			Version: backend.ThisBuild().Version,
		})
		return err
	})
	if err != nil {
		return err
	}
	o.orchestrator = h.orchestrator.Addr()
	h.cleanups.Push("the orchestrator", h.orchestrator.Stop)
	return nil
}

// startPoolManager runs before startGateway, which needs the pool manager's address.
// The pool manager registers through the gateway as soon as that answers.
func (h *home) startPoolManager(ctx context.Context, o *upOptions) error {
	options, err := poolManagerOptions(*o, h.secrets)
	if err != nil {
		return err
	}
	err = startBackend(*o, poolmanager.DefaultListen, func(listen string) (err error) {
		options.Listen = listen
		h.pools, err = poolmanager.Start(ctx, options)
		return err
	})
	if err != nil {
		return err
	}
	o.poolManager = h.pools.Addr()
	h.cleanups.Push("the pool manager", h.pools.Stop)
	return nil
}

// startGateway loads the Caddyfile. The credentials are in the environment of this
// process only while it loads.
func startGateway(o upOptions, client clientToken, secrets credentials) error {
	text, err := caddyfileFor(o, client)
	if err != nil {
		return err
	}
	if o.config != "" {
		content, err := os.ReadFile(o.config)
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		text = string(content)
	}
	defer func() {
		for _, name := range []string{caddymodule.EnvToken, caddymodule.EnvTokenAlias, envUpstreamToken, envNodeToken} {
			_ = os.Unsetenv(name)
		}
	}()
	for name, secret := range map[string]authmin.Secret{envUpstreamToken: secrets.upstream, envNodeToken: secrets.node} {
		if err := os.Setenv(name, secret.Reveal()); err != nil {
			return err
		}
	}
	adapter := caddyconfig.GetAdapter("caddyfile")
	config, _, err := adapter.Adapt([]byte(text), map[string]any{"filename": o.configName()})
	if err != nil {
		return fmt.Errorf("reading the Caddyfile: %w", err)
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	return nil
}

// stop stops all parts in reverse order of their start, within stopLimit.
func (h *home) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return h.cleanups.Run(ctx)
}

// prepareDataDir creates the data directory with mode 0700, and checks that it is
// writable.
func prepareDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the data directory: %w; choose another with --data-dir", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("writing to the data directory: %w; choose another with --data-dir", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// budgetsDir is the directory of the counts of budgets: a key that is made while up runs
// may have one.
func (o *upOptions) budgetsDir() string { return filepath.Join(o.dataDir, "budgets") }

// ignoreCanceled drops an error that is due to the end of ctx, such as by Ctrl-C.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
