package caddymodule

import "slices"

// flow describes the requests that reach a handler. Both open and guarded can be true,
// after a branch that has a guard.
type flow struct {
	open     bool           // some requests were decided by no guard
	guarded  bool           // some requests were decided by a guard
	rewrites []RouteHandler // of paths, that these requests may have passed
	groups   []string       // groups of which they may have taken a route already
}

func (f flow) or(g flow) flow {
	f.open = f.open || g.open
	f.guarded = f.guarded || g.guarded
	for _, rewrite := range g.rewrites {
		f = f.rewritten(rewrite)
	}
	for _, name := range g.groups {
		f = f.grouped(name)
	}
	return f
}

func (f flow) rewritten(by RouteHandler) flow {
	if !slices.Contains(f.rewrites, by) {
		f.rewrites = append(slices.Clip(f.rewrites), by)
	}
	return f
}

func (f flow) grouped(name string) flow {
	if name != "" && !slices.Contains(f.groups, name) {
		f.groups = append(slices.Clip(f.groups), name)
	}
	return f
}
