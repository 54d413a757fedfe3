package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// guardList knows where the guards of a configuration stand, and refuses one
// inside another: two policies on one request have no order that a reader of
// the Caddyfile can see.
//
// A guard's place is the chain of modules around it. Guard B runs behind guard A
// when A's surroundings are also B's, whichever was provisioned first: siblings
// in different `handle` blocks have surroundings of their own.
type guardList struct {
	mu     sync.Mutex
	places []place
	shadow int // how many of them only watch
}

type place struct {
	server *caddyhttp.Server
	name   string
	errors bool // in the server's error routes, which run instead of the others
	around []caddy.Module
}

// add notes a guard. The last of the modules is the guard itself. It returns a name
// that no other guard of the configuration has, and that the same one has after a
// reload: guards that were given none share theirs, and have limits of their own.
func (l *guardList) add(server *caddyhttp.Server, modules []caddy.Module, name string, shadow bool) (own string, err error) {
	p := place{server: server, name: name, errors: inErrorRoutes(server), around: modules[:len(modules)-1]}
	l.mu.Lock()
	defer l.mu.Unlock()
	twins := 0
	for _, other := range l.places {
		if other.server == server && other.name == name {
			twins++
		}
		if p.server == other.server && p.errors == other.errors && (within(p.around, other.around) || within(other.around, p.around)) {
			return "", errors.New("it stands inside another authmin guard; one request has one policy: remove one of the two, or put each into a handle block of its own")
		}
	}
	l.places = append(l.places, p)
	if shadow {
		l.shadow++
	}
	return fmt.Sprintf("%s %d %v", name, twins, server.Listen), nil
}

// on reports whether a server has a guard already.
func (l *guardList) on(server *caddyhttp.Server) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.places, func(p place) bool { return p.server == server })
}

// count returns how many guards there are, and how many of them are shadows.
func (l *guardList) count() (all, shadow int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.places), l.shadow
}

// inErrorRoutes is true while Caddy provisions a server's error routes: it does
// so after the ordinary ones, and empties the raw form of a route that is done.
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
