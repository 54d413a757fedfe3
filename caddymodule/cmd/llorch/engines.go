package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// startBackend starts a backend on its default address. If that is in use, and no
// --config names it, the backend listens on a free port instead. Binding is the only
// reliable test whether a port is free.
func startBackend(o upOptions, usual string, start func(listen string) error) error {
	err := start(usual)
	if errors.Is(err, syscall.EADDRINUSE) && o.config == "" {
		return start("127.0.0.1:0")
	}
	return err
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

// poolManagerOptions configures the one pool of up. The node registers through the
// gateway; its own address is loopback.
func poolManagerOptions(o upOptions, secrets credentials) (poolmanager.Options, error) {
	options := poolmanager.Options{
		RuntimeDir: filepath.Join(o.dataDir, "poolmanager"), NodeID: homeNodeID,
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
		// All workloads are offered: the server itself answers 404 for those that it lacks.
		template.Workloads = []string{nodeapi.WorkloadCompletion, nodeapi.WorkloadEmbedding, nodeapi.WorkloadRerank}
	}
	pool.Template = template.Name
	options.Templates = []poolmanager.Template{template}
	options.Preload = []poolmanager.Preload{pool}
	return options, nil
}
