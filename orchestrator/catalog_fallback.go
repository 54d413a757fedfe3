package orchestrator

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

// An entry of the catalog may name fallbacks: models that run the tasks for its model
// while that cannot run. They are one level deep: the fallbacks of a fallback are not
// followed, so a circle of entries is harmless.

// fallbackName is what a fallback may be called: an id or an alias of the catalog, or the
// name of a model that a node has reported. It becomes the value of a header.
var fallbackName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,255}$`)

// checkFallback refuses what cannot be the fallbacks of an entry.
func checkFallback(r ModelRequest) error {
	if len(r.Fallback) > maxFallbacks {
		return fail(Invalid, "INVALID_MODEL", "at most %d models in fallback", maxFallbacks)
	}
	for i, name := range r.Fallback {
		switch {
		case !fallbackName.MatchString(name) || prefixed(name):
			return fail(Invalid, "INVALID_MODEL", "a model in fallback is 1 to 256 of A-Z a-z 0-9 . _ : @ + / - and begins with a letter or digit, not with catalog: or file:")
		case name == r.ID || slices.Contains(r.Aliases, name):
			return fail(Invalid, "INVALID_MODEL", "a model does not fall back to itself")
		case slices.Contains(r.Fallback[:i], name):
			return fail(Invalid, "INVALID_MODEL", "fallback names %s twice", name)
		}
	}
	return nil
}

// knownFallbacks refuses an entry that falls back to a model which neither the catalog
// nor a node has: a typing error would show only when the fallback is needed.
func (o *Orchestrator) knownFallbacks(ctx context.Context, r ModelRequest) error {
	if err := checkModel(r); err != nil {
		return err
	}
	for _, name := range r.Fallback {
		model := o.catalog.resolve(name)
		if o.catalog.knows(name) || o.nodes.each(func(c Candidate) bool { return c.holds(model) }) {
			continue
		}
		if o.store.Shared() { // another replica may have entered it just now
			_, err := o.catalog.find(ctx, name)
			if err == nil {
				continue
			}
			if errors.Is(err, store.ErrUnavailable) {
				return err
			}
		}
		return fail(Invalid, "INVALID_MODEL", "fallback names %s, which neither the catalog nor a node has; enter that model first", name)
	}
	return nil
}

// fallbacks gives the models that a task for a model may run on instead, in their order.
// Both are names as resolve gives them. A retired model is no fallback, nor one of which
// the identity may use neither the id nor an alias.
func (c *catalog) fallbacks(model string, allowed *authmin.Models) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.models[model]
	if entry == nil {
		return nil
	}
	for _, called := range entry.value.Fallback {
		name := c.resolveLocked(called)
		of := c.models[name]
		if name == model || slices.Contains(names, name) || of != nil && !of.value.TakesTasks(c.now()) || !c.grants(allowed, name) {
			continue
		}
		names = append(names, name)
	}
	return names
}
