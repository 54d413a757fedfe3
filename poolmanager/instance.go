package poolmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/proc"
)

const (
	// maxModels bounds how many models of one engine are reported.
	maxModels = 256
	// maxModelListBytes bounds an engine's answer to /v1/models.
	maxModelListBytes = 1 << 20
)

// timings are the periods of supervision; tests shorten them.
type timings struct {
	readyEvery   time.Duration // api.md: 500 ms
	liveEvery    time.Duration // three misses at 5 s find a hung engine in 15 s
	liveMisses   int           // api.md: 3
	restartFirst time.Duration // api.md: 1 s
	probeLimit   time.Duration // one probe; an engine that computes still answers /health
	bodyLimit    time.Duration // how long a caller may take to send 1 MiB
}

var defaultTimings = timings{500 * time.Millisecond, 5 * time.Second, 3, restartFirst, 2 * time.Second, 5 * time.Second}

// instance is one running engine.
type instance struct {
	template Template
	base     string
	key      authmin.Secret
	process  *proc.Process // nil for a server that we did not start
	keyFile  string
	models   []string
}

func (i *instance) target(model string) adapter.Target {
	return adapter.Target{Base: i.base, Key: i.key, Model: model}
}

// exited is closed when the engine's process ends; never for a foreign server.
func (i *instance) exited() <-chan struct{} {
	if i.process == nil {
		return nil
	}
	return i.process.Done()
}

// spawn starts the engine, or looks up the server that runs already. On an
// error nothing runs.
func (p *pool) spawn(spec launchSpec) (*instance, error) {
	t := spec.template
	inst := &instance{template: t, base: t.URL, key: t.URLKey}
	if t.URL != "" {
		return inst, nil
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	inst.base = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if t.Key != KeyNone {
		inst.key, inst.keyFile = authmin.RandomSecret(), p.env.dir.keyPath()
		p.logs.redact(inst.key)
		if err := writeKey(inst.keyFile, t.Key, inst.key.Reveal()); err != nil {
			return nil, err
		}
	}
	values := startValues{port: port, model: spec.model, keyFile: inst.keyFile}
	marker := p.env.dir.marker(p.id)
	inst.process, err = proc.Start(proc.Spec{
		Command: t.arguments(values), Env: t.environment(os.LookupEnv, values),
		Dir: p.env.dir.path, Output: p.logs, Marker: marker,
	})
	if err == nil {
		err = p.env.dir.remember(record{PoolID: p.id, Marker: marker, Proc: inst.process.Identity()})
	}
	if err != nil {
		p.end(inst, 0)
		return nil, err
	}
	return inst, nil
}

// end stops the engine and everything it started, and removes its traces.
func (p *pool) end(inst *instance, grace time.Duration) {
	if inst.keyFile != "" {
		_ = os.Remove(inst.keyFile) // gone already when the engine became ready
	}
	if inst.process == nil {
		return
	}
	inst.process.Terminate(grace)
	proc.EndMarked(p.env.dir.marker(p.id))
	p.env.dir.forget(p.id)
}

// probe asks the engine whether it is well.
func (p *pool) probe(ctx context.Context, inst *instance) error {
	ctx, cancel := context.WithTimeout(ctx, p.env.times.probeLimit)
	defer cancel()
	response, err := p.get(ctx, inst, inst.template.HealthPath)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// Read to the end, so that the connection is used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxModelListBytes)); err != nil {
		return fmt.Errorf("probing the engine: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("probing the engine: it answers %d", response.StatusCode)
	}
	return nil
}

// listModels asks an engine that finds its models itself which it has.
func (p *pool) listModels(ctx context.Context, inst *instance) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.env.times.probeLimit)
	defer cancel()
	response, err := p.get(ctx, inst, "/v1/models")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxModelListBytes)).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading the engine's models: %w", err)
	}
	var names []string
	for _, m := range list.Data {
		if modelName.MatchString(m.ID) && len(names) < maxModels {
			names = append(names, m.ID)
		}
	}
	return names, nil
}

func (p *pool) get(ctx context.Context, inst *instance, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, inst.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("probing the engine: %w", err)
	}
	adapter.Authorize(request, inst.key)
	response, err := p.env.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("probing the engine: %w", err)
	}
	return response, nil
}
