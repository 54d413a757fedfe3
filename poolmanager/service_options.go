package poolmanager

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Version is what this program says it is.
var Version = backend.ThisBuild().Version

// DefaultListen is where a pool manager listens if its options name no address.
const DefaultListen = "127.0.0.1:9200"

// Preload is a pool that is started with the service.
type Preload struct {
	PoolID   string
	Template string
	ModelRef string // empty for the template's own
	// OnDemand leaves the start to the first task; the template wants Swap.
	OnDemand bool
}

// Options configure a pool manager. The zero value is refused: a
// runtime directory is needed.
type Options struct {
	// Listen is host:port or unix//path. Default 127.0.0.1:9200; port 0 takes a
	// free one.
	Listen string
	// RuntimeDir holds keys, process records and the lock; it is made private.
	RuntimeDir string
	// ModelRoot is where file: references are looked up, and where models of the
	// catalog are kept. Empty: neither works.
	ModelRoot string
	// ModelHosts are the servers that models of the catalog may be read from:
	// host or host:port for https, by their full names, or http://LOOPBACK:PORT.
	// Default: none.
	ModelHosts []string
	// NodeID names this node at the orchestrator. Default: the host's name.
	NodeID string
	// Address is the URL under which the orchestrator reaches this node: its
	// gateway, or loopback. Default: the listening address.
	Address string
	// OrchestratorURL is where to register; empty: nowhere.
	OrchestratorURL string
	// OrchestratorCA is a PEM file of the authorities that the orchestrator's
	// certificate may come from, and no others. Empty: the system's.
	OrchestratorCA string
	// OrchestratorToken is asked for at every call, so that rotation needs no
	// restart. It needs scope nodes, and scope catalog for models of the catalog.
	OrchestratorToken func() authmin.Secret
	// DispatchToken is what the orchestrator must send to Address; it travels in
	// the registration. Zero: the orchestrator uses its own.
	DispatchToken authmin.Secret
	// Token is a caller's own credential, UpstreamToken the gateway's.
	Token, UpstreamToken authmin.Secret
	// Templates is what preload may name. Default: the demo engine.
	Templates []Template
	// Preload is started with the service.
	Preload []Preload
	// MemoryBytes is how much memory the engines may have together on a machine
	// without a GPU. 0: no limit. With GPUs their own memory is the limit.
	MemoryBytes int64
	// DemoCommand starts the demo engine of the default template. Default: this
	// program with the argument demo-engine.
	DemoCommand []string
	// Log defaults to slog.Default.
	Log *slog.Logger

	times timings
	stage stageFunc // a test's, for the stager
}

// sentTokens are those that the service sends to others, as they are at the start.
func (o Options) sentTokens() []authmin.Secret {
	tokens := []authmin.Secret{o.DispatchToken}
	if o.OrchestratorToken != nil {
		tokens = append(tokens, o.OrchestratorToken())
	}
	return tokens
}

// withDefaults sets the defaults and refuses invalid options.
func (o Options) withDefaults() (Options, error) {
	if err := o.Settings().FillDefaults(); err != nil {
		return o, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.times == (timings{}) {
		o.times = defaultTimings
	}
	if len(o.Templates) == 0 {
		demo, err := DemoTemplate(o.DemoCommand)
		if err != nil {
			return o, fmt.Errorf("finding the demo engine: %w", err)
		}
		o.Templates = []Template{demo}
	}
	return o, o.check()
}

func (o Options) check() error {
	if err := o.Settings().Check(); err != nil {
		return err
	}
	if o.OrchestratorURL != "" && o.OrchestratorToken == nil {
		return backend.KeyErrorf("orchestrator_url", "set, but no token for it (ORCHESTRATORD_TOKEN or LLORCH_API_TOKEN)")
	}
	if _, err := o.authorities(); err != nil {
		return err
	}
	for i, p := range o.Preload {
		if !nodeapi.ValidPoolID(p.PoolID) {
			return badPreload(i, "pool_id", "%w", errPoolID)
		}
		if slices.ContainsFunc(o.Preload[:i], func(other Preload) bool { return other.PoolID == p.PoolID }) {
			return badPreload(i, "pool_id", "pool %s: there is a pool of this id above", p.PoolID)
		}
	}
	return nil
}

// authorities reads those of the orchestrator; nil: the system's.
func (o Options) authorities() (*x509.CertPool, error) {
	switch {
	case o.OrchestratorCA == "":
		return nil, nil
	case !strings.HasPrefix(o.OrchestratorURL, "https://"):
		return nil, backend.KeyErrorf("orchestrator_ca", "set, but orchestrator_url is not https")
	}
	pool, err := authmin.AuthoritiesFromFile(o.OrchestratorCA)
	if err != nil {
		return nil, backend.KeyErrorf("orchestrator_ca", "%w", err)
	}
	return pool, nil
}

// badPreload is an error of a pool to preload, counted from 0.
func badPreload(i int, field, format string, args ...any) error {
	return &backend.KeyError{Key: "preload", Item: i + 1, Field: field, Err: fmt.Errorf(format, args...)}
}

// Check reports what Start would refuse before it opens anything.
func (o Options) Check() error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if info, err := os.Stat(o.ModelRoot); o.ModelRoot != "" && err == nil && !info.IsDir() {
		return backend.KeyErrorf("model_root", "%s is not a directory", o.ModelRoot)
	}
	env := &environment{root: o.ModelRoot}
	pools, err := newManager(env, o.Templates)
	if err != nil {
		return err
	}
	for i, p := range o.Preload {
		t, ok := pools.templates[p.Template]
		if !ok {
			return badPreload(i, "template", "pool %s: %w: %q", p.PoolID, errNoTemplate, p.Template)
		}
		if _, err := pools.resolve(t, p.ModelRef); err != nil {
			return badPreload(i, "model_ref", "pool %s: %w", p.PoolID, err)
		}
		if p.OnDemand && !t.Swap {
			return badPreload(i, "on_demand", "pool %s: on_demand wants a template with swap", p.PoolID)
		}
	}
	if err := checkRuntimeDir(o.RuntimeDir); err != nil {
		return err
	}
	_, err = backend.NewAuthenticator(backend.AuthOptions{Service: "poolmanager", Listen: o.Listen, Token: o.Token, UpstreamToken: o.UpstreamToken, Log: o.Log})
	return err
}
