package backend

import (
	"net/http"
	"strings"
)

// Router is the router of a backend: net/http's, which keeps the patterns that it
// was given. [http.ServeMux] does not list them, and no test can walk a route that
// no list names.
type Router struct {
	*http.ServeMux
	patterns []string
}

// NewRouter returns a router without a route.
func NewRouter() *Router { return &Router{ServeMux: http.NewServeMux()} }

// HandleFunc registers a handler and notes its pattern.
func (r *Router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r.Handle(pattern, http.HandlerFunc(handler))
}

// Handle registers a handler and notes its pattern.
func (r *Router) Handle(pattern string, handler http.Handler) {
	r.ServeMux.Handle(pattern, handler)
	r.patterns = append(r.patterns, pattern)
}

// A Pattern is a method and a path that a router serves. An empty method is every method.
type Pattern struct{ Method, Path string }

// Undeclared lists the patterns that are served and that declared does not know:
// routes without a declared scope.
func (r *Router) Undeclared(declared func(Pattern) bool) []Pattern {
	var missing []Pattern
	for _, text := range r.patterns {
		method, path, hasMethod := strings.Cut(text, " ")
		if !hasMethod {
			method, path = "", text
		}
		if p := (Pattern{method, strings.TrimLeft(path, " \t")}); !declared(p) {
			missing = append(missing, p)
		}
	}
	return missing
}
