package caddymodule

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Bounds of a walk. Named routes can call each other, and themselves.
const (
	maxDepth = 64      // routes within routes
	maxSteps = 1 << 17 // handlers; a site of a thousand routes takes some thousands
)

// RouteHandler is one handler in the routes of an adapted configuration.
type RouteHandler struct {
	Server        string
	Name          string // the module's name
	Raw           string // its whole configuration, which also identifies it
	InErrorRoutes bool   // in a server's error routes
}

// Coverage is what a walk over all routes finds.
type Coverage struct {
	Open            []RouteHandler // handlers that serve requests which no guard decided
	Guards          []RouteHandler
	GuardedRewrites []RouteHandler // of paths, before or after the guard that judges them
	Rewrites        []RouteHandler // of paths, in any place
	TooDeep         bool           // the walk was aborted, and the result is incomplete
}

// Coverage follows every request through the routes of a configuration, by Caddy's
// rules: the routes of a list run in order, a route with a matcher only for the requests
// that match, at most one route of a group, and none after a terminal route. In case of
// doubt a handler counts as open: a handler that can be reached without a guard is never
// reported as guarded.
func (c *Config) Coverage() *Coverage {
	var found Coverage
	for _, name := range c.Servers() {
		server := c.HTTP.Servers[name]
		w := walker{server: name, named: server.NamedRoutes, found: &found}
		w.list(server.Routes, flow{open: true}, 0)
		if server.Errors != nil {
			// They run after a failure: possibly before the guard ran, and after any
			// route of any group.
			w.errors = true
			w.list(server.Errors.Routes, flow{open: true, groups: slices.Clone(w.groups)}, 0)
		}
	}
	return &found
}

type walker struct {
	server string
	errors bool
	named  map[string]*caddyhttp.Route
	found  *Coverage
	groups []string // all groups so far
	steps  int
}

// list follows requests through a list of routes, and returns those that reach its end.
func (w *walker) list(routes caddyhttp.RouteList, in flow, depth int) flow {
	for i := 0; i < len(routes); {
		end := i + 1
		for end < len(routes) && routes[i].Group != "" && routes[end].Group == routes[i].Group {
			end++
		}
		in = w.group(routes[i:end], in, depth)
		i = end
	}
	return in
}

// group follows requests through routes of which only the first that matches runs. A
// route without a group is a group on its own.
func (w *walker) group(routes caddyhttp.RouteList, in flow, depth int) flow {
	var out flow
	passing, name := in, routes[0].Group
	// A request has only one route of a group, also in another list.
	again := slices.Contains(in.groups, name)
	for i := range routes {
		after := w.route(&routes[i], in, depth)
		if !routes[i].Terminal {
			out = out.or(after)
		}
		if len(routes[i].MatcherSetsRaw) == 0 && !again {
			passing = flow{}
		}
	}
	w.groups = append(w.groups, name)
	return out.grouped(name).or(passing)
}

func (w *walker) route(route *caddyhttp.Route, in flow, depth int) flow {
	for _, raw := range route.HandlersRaw {
		in = w.handler(raw, in, depth)
	}
	return in
}

// handlerDoc has the members that may contain routes.
type handlerDoc struct {
	Handler        string                     `json:"handler"`
	Name           string                     `json:"name"`
	Routes         caddyhttp.RouteList        `json:"routes"`
	Errors         *caddyhttp.HTTPErrorConfig `json:"errors"`
	HandleResponse []struct {
		Routes caddyhttp.RouteList `json:"routes"`
	} `json:"handle_response"`
	Rewrite json.RawMessage `json:"rewrite"` // of a proxy, for its upstream alone
}

// handler follows requests through one handler, and the routes in it.
func (w *walker) handler(raw json.RawMessage, in flow, depth int) flow {
	if w.steps++; w.steps > maxSteps || depth > maxDepth {
		w.found.TooDeep = true
		return in
	}
	var doc handlerDoc
	// A third-party handler may have members of these names with other types. It then
	// counts as unknown.
	if err := json.Unmarshal(raw, &doc); err != nil {
		doc = handlerDoc{Handler: "?"}
		_ = json.Unmarshal(raw, &struct {
			Handler *string `json:"handler"`
		}{&doc.Handler})
	}
	seen := RouteHandler{Server: w.server, Name: doc.Handler, Raw: canonical(raw), InErrorRoutes: w.errors}
	switch doc.Handler {
	case AppName:
		w.found.Guards = append(w.found.Guards, seen)
		w.found.GuardedRewrites = append(w.found.GuardedRewrites, in.rewrites...)
		return flow{guarded: true, groups: in.groups}
	case "subroute":
		if doc.Errors != nil {
			w.list(doc.Errors.Routes, in, depth+1)
		}
		return w.list(doc.Routes, in, depth+1)
	case "invoke":
		if route, ok := w.named[doc.Name]; ok {
			return w.route(route, in, depth+1)
		}
		return in
	case "rewrite":
		if !rewritesPath(raw) {
			return in
		}
		w.found.Rewrites = append(w.found.Rewrites, seen)
		if in.guarded {
			w.found.GuardedRewrites = append(w.found.GuardedRewrites, seen)
		}
		return in.rewritten(seen)
	}
	// With handle_response, the rewrite is for another request, as in forward_auth.
	if len(doc.Rewrite) > 0 && len(doc.HandleResponse) == 0 && rewritesPath(doc.Rewrite) {
		inner := RouteHandler{Server: w.server, Name: "rewrite", Raw: canonical(doc.Rewrite), InErrorRoutes: w.errors}
		w.found.Rewrites = append(w.found.Rewrites, inner)
		if in.guarded {
			w.found.GuardedRewrites = append(w.found.GuardedRewrites, inner)
		}
	}
	for _, response := range doc.HandleResponse {
		w.list(response.Routes, in, depth+1)
	}
	if in.open && classify(doc.Handler) != harmless {
		w.found.Open = append(w.found.Open, seen)
	}
	return in
}

// rewritesPath reports whether a rewrite handler changes the path, not only the method or
// the query.
func rewritesPath(raw json.RawMessage) bool {
	var doc map[string]json.RawMessage
	if json.Unmarshal(raw, &doc) != nil {
		return true
	}
	delete(doc, "handler")
	delete(doc, "query")
	delete(doc, "method")
	return len(doc) > 0
}

// canonical returns the same text for every encoding of a configuration.
func canonical(raw json.RawMessage) string {
	text, err := json.Marshal(raw)
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// Upstreams returns the upstream addresses of a proxy.
func (h RouteHandler) Upstreams() (addresses []string) {
	upstreams, _ := at(decoded(json.RawMessage(h.Raw)), "upstreams").([]any)
	for _, upstream := range upstreams {
		addresses = append(addresses, textsOf(at(upstream, "dial"))...)
	}
	return addresses
}
