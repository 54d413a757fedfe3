package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/proc"
)

// engines starts, probes and ends engines for a pool: child processes and servers that
// run already. Tests on a fake clock have a stand-in.
type engines interface {
	// spawn starts an engine, or looks up the server that runs already. On an
	// error no process is left.
	spawn(poolID string, spec launchSpec, logs *logRing) (*instance, error)
	// end stops the engine and all its descendants, and removes its key and record.
	end(poolID string, inst *instance, grace time.Duration)
	// probe asks the engine whether it is healthy.
	probe(ctx context.Context, inst *instance) error
	// models asks an engine that finds its models itself which it has.
	models(ctx context.Context, inst *instance) ([]string, error)
	// contexts asks an engine how many tokens its models can have in their context.
	contexts(ctx context.Context, inst *instance, models []string) map[string]int64
	// listed asks an engine of Ollama's protocol about its models.
	listed(ctx context.Context, inst *instance) []nodeapi.ListedModel
}

// instance is one running engine.
type instance struct {
	template Template
	base     string
	key      authmin.Secret
	keyFile  string
	process  *proc.Process // nil for a server that we did not start
	// gone is closed when the engine ends by itself; nil for a foreign server.
	gone <-chan struct{}
	// why says how it ended; call it after gone.
	why    func() *failure
	port   int  // that its process was given; 0 for a foreign server
	opened bool // the engine has answered on port
	// kills is the OOM killer's count at the start, or at the last successful probe.
	kills int64
	// unusable are the models that it lists under names that no task can ask for.
	unusable []string
	// contexts is what it told of its models' contexts, in tokens: 0 where it did not.
	contexts map[string]int64
}

func (i *instance) target(model string) adapter.Target {
	return adapter.Target{Base: i.base, Key: i.secret(), Model: model, Limits: i.template.limits()}
}

// secret is the engine's key now.
func (i *instance) secret() authmin.Secret {
	if i.template.URLKeySource != nil {
		return i.template.URLKeySource.Secret()
	}
	return i.key
}

// keyRead removes the key's file once the engine has read it.
func (i *instance) keyRead() {
	if i.keyFile != "" {
		_ = os.Remove(i.keyFile) // the end tries again
	}
}

// processes runs engines as children of this program.
type processes struct {
	prober
	dir     *runtimeDir
	orphans *orphanKiller
	kills   func() int64         // processes that the OOM killer has ended so far
	owner   func(port int) error // refuses a port that another user's program has opened
	ports   *ports
}

// newProcesses runs engines for the pool manager that owns the directory.
func newProcesses(dir *runtimeDir, hc *http.Client, limit time.Duration) *processes {
	return &processes{
		prober: prober{hc, limit}, dir: dir, orphans: newOrphanKiller(), kills: oomKills, owner: checkPort,
		ports: &ports{free: freePort, taken: map[int]bool{}},
	}
}

// probe asks the engine, and records the OOM killer's count. Until the engine has
// answered once, another user's program could have its port: the owner of the port is
// checked before the key is sent, and again before the answer is believed.
func (e *processes) probe(ctx context.Context, inst *instance) error {
	if inst.process == nil {
		return e.prober.probe(ctx, inst)
	}
	if err := e.checkPortOwner(inst); err != nil {
		return err
	}
	if err := e.prober.probe(ctx, inst); err != nil {
		return err
	}
	if err := e.checkPortOwner(inst); err != nil {
		return err
	}
	inst.opened, inst.kills = true, e.kills()
	return nil
}

func (e *processes) checkPortOwner(inst *instance) error {
	if inst.opened {
		return nil
	}
	return e.owner(inst.port)
}

func (e *processes) spawn(poolID string, spec launchSpec, logs *logRing) (*instance, error) {
	t := spec.template
	inst := &instance{template: t, base: engineBase(t.URL), key: t.URLKey}
	if t.URL != "" {
		return inst, nil
	}
	work, err := t.workingDirectory(e.dir.path)
	if err != nil {
		return nil, err
	}
	port, err := e.ports.take()
	if err != nil {
		return nil, err
	}
	inst.port = port
	inst.base = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if t.Key != KeyNone {
		inst.key, inst.keyFile = authmin.RandomSecret(), e.dir.keyPath()
		if err := writeKey(inst.keyFile, t.Key, inst.key.Reveal()); err != nil {
			e.ports.giveBack(port)
			return nil, err
		}
	}
	logs.begin(inst.key)
	values := startValues{port: port, model: spec.model, keyFile: inst.keyFile}
	marker := e.dir.marker(poolID)
	inst.process, err = proc.Start(proc.Spec{
		Command: t.arguments(values), Env: t.environment(os.LookupEnv, values),
		Dir: work, Output: logs, Marker: marker,
	})
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; install the program, or give its path in the template's command", err)
	}
	if err == nil {
		inst.gone = inst.process.Done()
		inst.kills = e.kills()
		inst.why = func() *failure {
			return classify(inst.process.State(), e.kills() > inst.kills, logs.lastOutput(classifiedLines))
		}
		err = errors.Join(inst.process.Hold(t.limit),
			e.dir.remember(record{PoolID: poolID, Marker: marker, Proc: inst.process.Identity()}))
	}
	if err != nil {
		e.end(poolID, inst, 0)
		return nil, err
	}
	return inst, nil
}

func (e *processes) end(poolID string, inst *instance, grace time.Duration) {
	if inst.keyFile != "" {
		_ = os.Remove(inst.keyFile) // gone already when the engine became ready
	}
	defer e.ports.giveBack(inst.port)
	if inst.process == nil {
		return
	}
	inst.process.Terminate(grace)
	e.orphans.end(e.dir.marker(poolID))
	e.dir.forget(poolID)
}
