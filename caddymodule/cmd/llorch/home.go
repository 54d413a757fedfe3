package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/llorch/gateway/authmin"
	orchestratorapp "github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager"
)

// homeNodeID names the one node of this process at its orchestrator.
const homeNodeID = "home"

// credentials are what the parts of this process know each other by. They are
// made at every start and live in memory.
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

// part is something that was started and has to be stopped.
type part struct {
	name string
	stop func(context.Context) error
}

// runHome starts everything, says so, and stops everything when ctx ends.
func runHome(ctx context.Context, o upOptions) (err error) {
	if err := preflight(ctx, o); err != nil {
		return err
	}
	if err := prepareDataDir(o.dataDir); err != nil {
		return err
	}
	if o.listen, err = checkFree(o.listen); err != nil {
		return err
	}
	client, err := findToken(o)
	if err != nil {
		return err
	}
	h := &home{secrets: newCredentials()}
	defer func() { err = errors.Join(err, stopAll(h.parts)) }()
	if err := h.startOrchestrator(ctx, &o); err != nil {
		return fmt.Errorf("starting the orchestrator: %w", err)
	}
	if err := h.startPoolManager(ctx, &o); err != nil {
		return fmt.Errorf("starting the pool manager: %w", err)
	}
	if err := startGateway(o, client, h.secrets); err != nil {
		return err
	}
	// The last to stop: the pool manager deregisters through it, and the
	// orchestrator ends the streams that it carries.
	h.parts = slices.Insert(h.parts, 0, part{"gateway", func(context.Context) error { return caddy.Stop() }})
	model, err := waitReady(ctx, o, h.secrets, os.Stderr)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	if err := printWelcome(os.Stdout, o, client, model); err != nil {
		return err
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

// home is what runs in this process.
type home struct {
	secrets      credentials
	orchestrator *orchestratorapp.Service
	pools        *poolmanager.Service
	parts        []part // the last is the first to stop
}

func (h *home) startOrchestrator(ctx context.Context, o *upOptions) error {
	err := startBackend(*o, orchestratorapp.DefaultListen, func(listen string) (err error) {
		h.orchestrator, err = orchestratorapp.Start(ctx, orchestratorapp.Options{
			Listen: listen, StateDir: filepath.Join(o.dataDir, "orchestrator"),
			Token: h.secrets.orchestrator, UpstreamToken: h.secrets.upstream, Log: caddySlog("orchestrator"),
		})
		return err
	})
	if err != nil {
		return err
	}
	o.orchestrator = h.orchestrator.Addr()
	h.parts = append(h.parts, part{"orchestrator", h.orchestrator.Stop})
	return nil
}

// startPoolManager starts it before the gateway, which needs its address; it
// registers through the gateway as soon as that answers.
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
	h.parts = append(h.parts, part{"pool manager", h.pools.Stop})
	return nil
}

// startGateway loads the Caddyfile. The credentials are in the environment of
// this process just as long as that takes.
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
		for _, name := range []string{envClientToken, envUpstreamToken, envNodeToken} {
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

// stopAll stops the parts, the last first, within one limit.
func stopAll(parts []part) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	var all error
	for i := len(parts) - 1; i >= 0; i-- {
		done := make(chan error, 1)
		go func() { done <- parts[i].stop(ctx) }()
		select {
		case err := <-done:
			if err != nil {
				all = errors.Join(all, fmt.Errorf("stopping the %s: %w", parts[i].name, err))
			}
		case <-ctx.Done():
			return errors.Join(all, fmt.Errorf("the %s did not stop in %v", parts[i].name, stopLimit.Round(time.Second)))
		}
	}
	return all
}

// prepareDataDir makes the directory, for this user only, and writes to it once.
func prepareDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data directory cannot be made: %w; choose another with --data-dir", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("the data directory cannot be written: %w; choose another with --data-dir", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// ignoreCanceled is for what a Ctrl-C interrupted.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
