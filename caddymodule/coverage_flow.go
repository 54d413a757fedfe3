package caddymodule

import "slices"

// flow says which requests reach a place: some that no guard has decided, some
// that one has. Both can be true, behind a guard that stands in a branch.
type flow struct {
	open     bool
	guarded  bool
	rewrites []RouteHandler // of paths, by handlers that these requests came by
	groups   []string       // of which they may have had their one route
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
