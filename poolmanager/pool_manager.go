package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/proc"
)

// MaxPools bounds the pools of one node, and so the values of the label pool_id.
const MaxPools = 256

// What a manager answers when it cannot do what was asked.
var (
	errNoPool     = errors.New("no such pool")
	errNoTemplate = errors.New("no such template")
	errPoolID     = errors.New("a pool id is 1 to 64 of a-z 0-9 _ . - and begins with a letter or digit")
	errFull       = fmt.Errorf("this node has %d pools already", MaxPools)
)

// manager is the pools of this node, by id. A pool stays known when it stopped.
type manager struct {
	env       *environment
	templates map[string]Template

	mu    sync.Mutex
	pools map[string]*pool
	ended bool
}

func newManager(env *environment, templates []Template) (*manager, error) {
	m := &manager{env: env, templates: map[string]Template{}, pools: map[string]*pool{}}
	for _, t := range templates {
		if err := t.Validate(); err != nil {
			return nil, err
		}
		if _, twice := m.templates[t.Name]; twice {
			return nil, fmt.Errorf("template %q: named twice", t.Name)
		}
		m.templates[t.Name] = t
	}
	return m, nil
}

// list gives the pools in the order of their ids.
func (m *manager) list() []*pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]*pool, 0, len(m.pools))
	for _, p := range m.pools {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *pool) int { return strings.Compare(a.id, b.id) })
	return list
}

func (m *manager) find(id string) (*pool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.pools[id]
	if !ok {
		return nil, errNoPool
	}
	return p, nil
}

// preload starts a pool from a template and does not wait for it.
func (m *manager) preload(id string, r nodeapi.PreloadRequest) (*pool, error) {
	spec, err := m.specOf(id, r.Template, r.ModelRef)
	if err != nil {
		return nil, err
	}
	return m.use(id, func(p *pool) error { return p.start(spec) })
}

// offer makes a pool whose engine the first task starts.
func (m *manager) offer(id, template, ref string) (*pool, error) {
	spec, err := m.specOf(id, template, ref)
	if err != nil {
		return nil, err
	}
	return m.use(id, func(p *pool) error { return p.offer(spec) })
}

func (m *manager) specOf(id, template, ref string) (launchSpec, error) {
	if !nodeapi.ValidPoolID(id) {
		return launchSpec{}, errPoolID
	}
	t, ok := m.templates[template]
	if !ok {
		return launchSpec{}, errNoTemplate
	}
	return m.resolve(t, ref)
}

// use calls f with the pool of that id, or with a new one, which is kept if f accepts.
func (m *manager) use(id string, f func(*pool) error) (*pool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return nil, errNotReady
	}
	p, ok := m.pools[id]
	if !ok {
		if len(m.pools) >= MaxPools {
			return nil, errFull
		}
		p = newPool(id, m.env)
	}
	if ok && p.wanted().handed {
		return nil, errHanded
	}
	if err := f(p); err != nil {
		return nil, err
	}
	m.pools[id] = p
	return p, nil
}

// adopt makes a pool of an engine that another provisioner runs: it is used and
// watched like a server at a URL, and the API cannot change it.
func (m *manager) adopt(id string, spec launchSpec) error {
	if !nodeapi.ValidPoolID(id) {
		return errPoolID
	}
	spec.handed = true
	_, err := m.use(id, func(p *pool) error {
		if p.wanted().template.Name != "" {
			return errBusy // one of ours, though it may be stopped
		}
		return p.start(spec)
	})
	return err
}

// release forgets an adopted pool when its engine is no longer to be used. It
// takes no more tasks; those that run there have until the deadline, for which
// this waits.
func (m *manager) release(id string, deadline time.Duration) {
	p, err := m.find(id)
	if err != nil || !p.wanted().handed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline+commandWait)
	defer cancel()
	if p.ask(ctx, command{verb: verbDrain, deadline: deadline}) == nil {
		p.await(ctx, StateStopped)
	}
	<-p.cancel()
	m.mu.Lock()
	delete(m.pools, id)
	m.mu.Unlock()
	m.env.changed()
}

// findOurs gives a pool that the API may change.
func (m *manager) findOurs(id string) (*pool, error) {
	p, err := m.find(id)
	if err == nil && p.wanted().handed {
		return nil, errHanded
	}
	return p, err
}

// resolve checks the model of a template. Only an engine that knows its models
// itself may be started without one.
func (m *manager) resolve(t Template, ref string) (launchSpec, error) {
	if ref == "" {
		ref = t.Model
	}
	if ref == "" && t.ListsModels {
		return newLaunchSpec(t, model{})
	}
	resolved, err := resolveModel(m.env.root, t.TakesFile, ref)
	if err != nil {
		return launchSpec{}, err
	}
	return newLaunchSpec(t, resolved)
}

// drain begins a drain and does not wait for it.
func (m *manager) drain(ctx context.Context, id string, deadline time.Duration) (*pool, error) {
	p, err := m.findOurs(id)
	if err != nil {
		return nil, err
	}
	p.disableLoading()
	if err := p.ask(ctx, command{verb: verbDrain, deadline: deadline}); err == nil {
		p.await(ctx, StateDraining, StateStopping, StateStopped)
		return p, nil
	}
	switch state, _ := p.current(); state {
	case StateStopped, StateStopping, StateDraining:
	default:
		p.cancel() // no task runs that could be waited for
	}
	return p, nil
}

// reload waits until the new model serves, or the old one does again. The model
// is brought here first, while the old one still serves.
func (m *manager) reload(ctx context.Context, id, ref string) (*pool, error) {
	p, err := m.findOurs(id)
	if err != nil {
		return nil, err
	}
	spec, err := m.resolve(p.wanted().template, ref)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, reloadWait, errReloading)
	defer cancel()
	if p.unloaded() {
		return p, p.wake(ctx, spec.model)
	}
	if err := p.prefetch(ctx, spec); err != nil {
		return nil, err
	}
	answer := make(chan error, 1)
	if err := p.ask(ctx, command{verb: verbReload, model: spec.model, answer: answer}); err != nil {
		return nil, err
	}
	select {
	case err := <-answer:
		return p, err
	case <-ctx.Done(): // the reload goes on
		return p, context.Cause(ctx)
	}
}

// stop ends a pool's engine without waiting for its tasks.
func (m *manager) stop(id string) (*pool, error) {
	p, err := m.findOurs(id)
	if err != nil {
		return nil, err
	}
	p.cancel()
	return p, nil
}

// stopAll ends every engine and waits until they are gone.
func (m *manager) stopAll(ctx context.Context) error {
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	var waits []<-chan struct{}
	for _, p := range m.list() {
		waits = append(waits, p.cancel())
	}
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("stopping the engines: %w", ctx.Err())
		}
	}
	return nil
}

// resident is the main memory that all engines hold together.
func (m *manager) resident() int64 {
	groups := map[int]bool{}
	for _, p := range m.list() {
		p.mu.Lock()
		if p.inst != nil && p.inst.process != nil {
			groups[p.inst.process.Identity().PID] = true
		}
		p.mu.Unlock()
	}
	return proc.Resident(groups)
}
