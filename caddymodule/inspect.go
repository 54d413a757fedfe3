package caddymodule

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// inspection is a configuration with a list of all of its handlers, each with the history
// of the requests that reach it.
type inspection struct {
	*Config
	handlers []inspected
	matchers []placedMatcher
	guarded  map[string]bool // servers that have a guard
	tooDeep  bool            // the walk was aborted, and the lists are incomplete
}

// inspected is one handler.
type inspected struct {
	server string
	errors bool // in a server's error routes
	name   string
	doc    map[string]any  // its configuration
	raw    json.RawMessage // the same, not decoded
	before history         // of the requests that reach it
	last   bool            // of its route
}

// placedMatcher is a set of matchers of a route.
type placedMatcher struct {
	server string
	set    caddy.ModuleMap
}

// history is what may have happened to a request before it reaches a handler. Anything
// that one of several branches may have done is included.
type history struct {
	guards     []string          // configurations of the guards that may have decided
	rewritten  bool              // the path may differ from the client's
	answered   bool              // an earlier handler answers every request
	basicAuth  bool              // another authentication has run
	credential bool              // Authorization may have been written
	apiKey     bool              // X-Api-Key may have been written
	prefixes   []string          // stripped from paths without a segment boundary
	around     []caddyhttp.Route // the enclosing routes, the outermost first
	clean      int               // how many of them match the client's own path
}

func (w history) or(v history) history {
	w.guards, w.prefixes = union(w.guards, v.guards), union(w.prefixes, v.prefixes)
	w.rewritten = w.rewritten || v.rewritten
	w.answered = w.answered && v.answered
	w.basicAuth = w.basicAuth || v.basicAuth
	w.credential, w.apiKey = w.credential || v.credential, w.apiKey || v.apiKey
	return w
}

func union(list, more []string) []string {
	for _, text := range more {
		if !slices.Contains(list, text) {
			list = append(slices.Clip(list), text)
		}
	}
	return list
}

// inspect lists the handlers of all servers.
func inspect(c *Config) *inspection {
	in := &inspection{Config: c, guarded: map[string]bool{}}
	for _, name := range c.Servers() {
		server := c.HTTP.Servers[name]
		t := tour{inspection: in, server: name, named: server.NamedRoutes}
		t.list(server.Routes, history{}, 0)
		if server.Errors != nil {
			t.errors = true
			t.list(server.Errors.Routes, history{}, 0)
		}
		// A named route that no route invokes is checked too.
		for _, named := range slices.Sorted(maps.Keys(server.NamedRoutes)) {
			if !slices.Contains(t.called, named) && server.NamedRoutes[named] != nil {
				t.route(server.NamedRoutes[named], history{}, 0)
			}
		}
	}
	return in
}

// tour walks through the routes of one server.
type tour struct {
	*inspection
	server string
	errors bool
	named  map[string]*caddyhttp.Route
	inside []string // the named routes that enclose this one, to end a recursion
	called []string
	steps  int
}

// list walks through a list of routes, and returns the history of requests at its end.
func (t *tour) list(routes caddyhttp.RouteList, w history, depth int) history {
	for i := 0; i < len(routes); {
		end := i + 1
		for end < len(routes) && routes[i].Group != "" && routes[end].Group == routes[i].Group {
			end++
		}
		w = t.group(routes[i:end], w, depth)
		i = end
	}
	return w
}

// group walks through routes of which only the first that matches runs.
func (t *tour) group(routes caddyhttp.RouteList, before history, depth int) history {
	var leaving []history
	whole := false // some route matches every request
	for i := range routes {
		after := t.route(&routes[i], before, depth)
		if !routes[i].Terminal && !after.answered {
			leaving = append(leaving, after)
		}
		whole = whole || len(routes[i].MatcherSetsRaw) == 0
	}
	if !whole {
		leaving = append(leaving, before)
	}
	if len(leaving) == 0 {
		before.answered = true
		return before
	}
	out := leaving[0]
	for _, w := range leaving[1:] {
		out = out.or(w)
	}
	return out
}

// route walks through one route. Its matchers apply to the handlers inside, not to those
// after it.
func (t *tour) route(route *caddyhttp.Route, w history, depth int) history {
	for _, set := range route.MatcherSetsRaw {
		t.matchers = append(t.matchers, placedMatcher{server: t.server, set: set})
	}
	around, clean := w.around, w.clean
	w.around = append(slices.Clip(w.around), *route)
	if !w.rewritten {
		w.clean = len(w.around)
	}
	for i, raw := range route.HandlersRaw {
		w = t.handler(raw, w, i == len(route.HandlersRaw)-1, depth)
	}
	w.around, w.clean = around, clean
	return w
}

func (t *tour) handler(raw json.RawMessage, w history, last bool, depth int) history {
	if t.steps++; t.steps > maxSteps || depth > maxDepth {
		t.tooDeep = true
		return w
	}
	h := inspected{server: t.server, errors: t.errors, raw: raw, before: w, last: last}
	_ = json.Unmarshal(raw, &h.doc) // Caddy refuses a handler that is not an object
	h.name, _ = h.doc["handler"].(string)
	t.handlers = append(t.handlers, h)
	var inner handlerDoc
	_ = json.Unmarshal(raw, &inner)
	switch h.name {
	case AppName:
		t.guarded[t.server] = true
		w.guards = append(slices.Clip(w.guards), canonical(raw))
	case "subroute":
		if inner.Errors != nil {
			t.list(inner.Errors.Routes, w, depth+1)
		}
		return t.list(inner.Routes, w, depth+1)
	case "invoke":
		return t.invoke(inner.Name, w, depth)
	case "rewrite":
		if rewritesPath(raw) {
			w.prefixes = union(w.prefixes, h.strippedPrefixes())
			w.rewritten = true
		}
	case "authentication":
		w.basicAuth = true
	case "headers":
		w.credential = w.credential || h.writesCredential("Authorization")
		w.apiKey = w.apiKey || h.writesCredential(authmin.HeaderAPIKey)
	}
	for _, response := range inner.HandleResponse {
		t.list(response.Routes, w, depth+1)
	}
	if alwaysAnswers(h.name, h.doc) {
		w.answered = true
	}
	return w
}

func (t *tour) invoke(name string, w history, depth int) history {
	route, ok := t.named[name]
	if !ok || route == nil || slices.Contains(t.inside, name) {
		return w
	}
	t.called = append(t.called, name)
	inside := t.inside
	t.inside = append(slices.Clip(t.inside), name)
	w = t.route(route, w, depth+1)
	t.inside = inside
	return w
}

// alwaysAnswers reports whether a handler answers every request itself.
func alwaysAnswers(name string, doc map[string]any) bool {
	switch name {
	case "static_response", "error", "metrics", PageHandler:
		return true
	case "reverse_proxy":
		return doc["handle_response"] == nil // with it, as forward_auth, it may
	case "file_server":
		return doc["pass_thru"] != true
	}
	return false
}
