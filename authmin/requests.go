package authmin

import "slices"

// Requests are the requests of some methods on some paths.
type Requests struct {
	Paths   []string // patterns as those of a [Rule]
	Methods []string // none: every method
}

// Check reports a method or a path that no [Rule] may have either, and a list without paths.
func (r Requests) Check() error { return checkModelPaths(r.Methods, r.Paths) }

// Match reports whether a request with a decoded path is one of them.
func (r Requests) Match(method, path string) bool {
	return (len(r.Methods) == 0 || slices.Contains(r.Methods, method)) && matchAny(r.Paths, path)
}
