package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// guardList records the position of every guard in a configuration, and refuses a guard
// inside another: the order of two policies on one request is not visible in a
// Caddyfile.
//
// The position of a guard is the chain of modules that enclose it. Guard B runs behind
// guard A if the modules that enclose A also enclose B, whichever was provisioned first.
// Guards in different `handle` blocks have different chains.
type guardList struct {
	mu        sync.Mutex
	positions []position
	shadow    int // number of shadow guards
	guards    []*Guard
}

type position struct {
	server    *caddyhttp.Server
	name      string
	errors    bool // in the server's error routes, which run instead of the others
	enclosing []caddy.Module
}

// add records a guard. The last of the modules is the guard itself. It returns a name
// that is unique in the configuration and the same after a reload, so that guards
// without a name of their own have separate limits.
func (l *guardList) add(server *caddyhttp.Server, modules []caddy.Module, name string, shadow bool) (own string, err error) {
	p := position{server: server, name: name, errors: inErrorRoutes(server), enclosing: modules[:len(modules)-1]}
	l.mu.Lock()
	defer l.mu.Unlock()
	twins := 0
	for _, other := range l.positions {
		if other.server == server && other.name == name {
			twins++
		}
		if p.server == other.server && p.errors == other.errors && (within(p.enclosing, other.enclosing) || within(other.enclosing, p.enclosing)) {
			return "", errors.New("it is inside another authmin guard; one request has one policy: remove one of the two, or put each into a handle block of its own")
		}
	}
	l.positions = append(l.positions, p)
	if shadow {
		l.shadow++
	}
	return fmt.Sprintf("%s %d %v", name, twins, server.Listen), nil
}

// keep keeps a guard that was added, for [guardList.all].
func (l *guardList) keep(g *Guard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guards = append(l.guards, g)
}

// all returns the guards in the order of their provision.
func (l *guardList) all() []*Guard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.guards)
}

// on reports whether a server has a guard already.
func (l *guardList) on(server *caddyhttp.Server) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.positions, func(p position) bool { return p.server == server })
}

// count returns how many guards there are, and how many of them are shadows.
func (l *guardList) count() (all, shadow int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.positions), l.shadow
}

// inErrorRoutes reports whether Caddy is provisioning a server's error routes. It
// provisions them after the ordinary routes, and clears the raw form of a route that is
// provisioned.
func inErrorRoutes(server *caddyhttp.Server) bool {
	if server.Errors == nil {
		return false
	}
	for _, route := range server.Routes {
		if len(route.HandlersRaw) > 0 {
			return false
		}
	}
	for _, route := range server.Errors.Routes {
		if len(route.HandlersRaw) > 0 {
			return true
		}
	}
	return false // a named route: Caddy provisions those last, and they run among the others
}

// within reports whether outer is a prefix of inner.
func within(inner, outer []caddy.Module) bool {
	if len(outer) > len(inner) {
		return false
	}
	for i := range outer {
		if outer[i] != inner[i] {
			return false
		}
	}
	return true
}
