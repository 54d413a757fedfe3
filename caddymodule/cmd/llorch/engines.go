package main

import (
	"fmt"
	"net"
	"path/filepath"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager"
)

// withAddresses settles where everything listens. The backends take their usual
// ports; when those are taken, and no configuration names them, any others.
func (o upOptions) withAddresses() (upOptions, error) {
	var err error
	if o.listen, err = checkFree(o.listen); err != nil {
		return o, err
	}
	for _, backend := range []struct {
		address *string
		usual   string
	}{{&o.orchestrator, app.DefaultListen}, {&o.poolManager, poolmanager.DefaultListen}} {
		*backend.address, err = checkFree(backend.usual)
		if err != nil && o.config == "" {
			*backend.address, err = checkFree("127.0.0.1:0")
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o upOptions) orchestratorAddr() string {
	if o.orchestrator == "" {
		return app.DefaultListen
	}
	return o.orchestrator
}

func (o upOptions) poolManagerAddr() string {
	if o.poolManager == "" {
		return poolmanager.DefaultListen
	}
	return o.poolManager
}

// configName names the configuration in error messages.
func (o upOptions) configName() string {
	if o.config == "" {
		return "Caddyfile"
	}
	return o.config
}

func (o upOptions) url() string { return "http://" + o.listen }

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// poolManagerOptions sets up the one pool of up. The node registers through the
// gateway; its own address is loopback.
func poolManagerOptions(o upOptions, secrets credentials) (poolmanager.Options, error) {
	options := poolmanager.Options{
		Listen: o.poolManager, RuntimeDir: filepath.Join(o.dataDir, "poolmanager"),
		NodeID: homeNodeID, Address: "http://" + o.poolManager,
		OrchestratorURL:   o.url(),
		OrchestratorToken: func() authmin.Secret { return secrets.node },
		DispatchToken:     secrets.poolManager, Token: secrets.poolManager, UpstreamToken: secrets.upstream,
		Log: caddySlog("poolmanager"),
	}
	pool := poolmanager.Preload{PoolID: "home", ModelRef: o.model}
	var template poolmanager.Template
	switch o.engine {
	case "demo":
		demo, err := poolmanager.DemoTemplate(nil)
		if err != nil {
			return options, fmt.Errorf("finding this program for the demo engine: %w", err)
		}
		template = demo
	case "llamacpp":
		path, err := filepath.Abs(o.model)
		if err != nil {
			return options, fmt.Errorf("--model %s: %w", o.model, err)
		}
		template = poolmanager.LlamaCPPTemplate()
		options.ModelRoot, pool.ModelRef = filepath.Dir(path), "file:"+filepath.Base(path)
	case "ollama":
		template = poolmanager.OllamaTemplate()
	default:
		template = poolmanager.URLTemplate(o.engine)
	}
	pool.Template = template.Name
	options.Templates = []poolmanager.Template{template}
	options.Preload = []poolmanager.Preload{pool}
	return options, nil
}
