package authmin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ModelPlace is the part of a request that names the model.
type ModelPlace string

// The places.
const (
	ModelInBody  ModelPlace = "body"  // a member of a JSON object
	ModelInQuery ModelPlace = "query" // a parameter of the query
	ModelInForm  ModelPlace = "form"  // a part of multipart/form-data
	ModelInPath  ModelPlace = "path"  // what the * of the pattern matches
)

// DefaultModelMember is the member that names the model unless a route says otherwise.
const DefaultModelMember = "model"

// maxModelMember bounds the member of a route, in bytes.
const maxModelMember = 64

// ModelRoute says where requests of some paths name a model.
type ModelRoute struct {
	Place  ModelPlace
	Member string   // in an object inside the body: the names with dots between; "" in a path
	Paths  []string // patterns as those of a [Rule]

	Methods []string // as those of a [Rule]; none: every method
}

// ModelFree are requests that name no model.
type ModelFree struct {
	Paths   []string
	Methods []string // none: every method
}

// String returns the route as it is written in a Caddyfile.
func (r ModelRoute) String() string {
	place := string(r.Place)
	if r.Member != "" && r.Member != DefaultModelMember {
		place += ":" + r.Member
	}
	words := []string{"model_in", place}
	if len(r.Methods) > 0 {
		words = append(words, strings.Join(r.Methods, ","))
	}
	return strings.Join(append(words, r.Paths...), " ")
}

// ModelRoutes say which routes carry a model, and where, and which carry none. It is
// immutable. The zero value has no routes.
type ModelRoutes struct {
	routes []ModelRoute
	keyed  [][]keyedPath // each route's paths, for variants
	free   []ModelFree
}

// NewModelRoutes checks and compiles the routes that carry a model and those that do not.
func NewModelRoutes(routes []ModelRoute, free []ModelFree) (*ModelRoutes, error) {
	if len(routes) > MaxRules || len(free) > MaxRules {
		return nil, fmt.Errorf("model_in and model_free: %d and %d are over the limit of %d", len(routes), len(free), MaxRules)
	}
	m := &ModelRoutes{routes: slices.Clone(routes), free: slices.Clone(free)}
	for _, f := range free {
		if err := checkModelPaths(f.Methods, f.Paths); err != nil {
			return nil, fmt.Errorf("model_free: %w", err)
		}
	}
	for _, route := range routes {
		if err := route.check(); err != nil {
			return nil, fmt.Errorf("model_in: %w", err)
		}
		keyed := make([]keyedPath, 0, len(route.Paths))
		for _, pattern := range route.Paths {
			key, err := keyPattern(pattern)
			if err != nil {
				return nil, fmt.Errorf("model_in: path %q: %w", clip(pattern), err)
			}
			for _, f := range free {
				if slices.Contains(f.Paths, pattern) && shareMethod(f.Methods, route.Methods) {
					return nil, fmt.Errorf("path %q is in model_in and in model_free", clip(pattern))
				}
			}
			keyed = append(keyed, key)
		}
		m.keyed = append(m.keyed, keyed)
	}
	return m, checkForms(routes)
}

// checkForms refuses a path whose model is in a JSON body and in a form: no body is both.
func checkForms(routes []ModelRoute) error {
	for _, body := range routes {
		for _, form := range routes {
			if body.Place != ModelInBody || form.Place != ModelInForm || !shareMethod(body.Methods, form.Methods) {
				continue
			}
			for _, path := range body.Paths {
				other := func(p string) bool { return matchPath(p, path) || matchPath(path, p) }
				if i := slices.IndexFunc(form.Paths, other); i >= 0 {
					return fmt.Errorf("model_in body %q and model_in form %q match the same requests; a body is JSON or a form", clip(path), clip(form.Paths[i]))
				}
			}
		}
	}
	return nil
}

// shareMethod reports whether two lists of methods have one in common; none is every method.
func shareMethod(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}

// checkModelPaths checks the methods and the paths of an option.
func checkModelPaths(methods, paths []string) error {
	return Rule{Action: ActionDeny, Methods: methods, Paths: paths}.check()
}

func (r ModelRoute) check() error {
	switch r.Place {
	case ModelInBody, ModelInQuery, ModelInForm:
		if err := checkModelMember(r.Member, r.Place == ModelInBody); err != nil {
			return err
		}
	case ModelInPath:
		if r.Member != "" {
			return errors.New("path takes no member: the model is what * matches")
		}
	default:
		return fmt.Errorf("%q is not a place; want body, query, form or path", clip(string(r.Place)))
	}
	if err := checkModelPaths(r.Methods, r.Paths); err != nil {
		return err
	}
	for _, pattern := range r.Paths {
		if r.Place == ModelInPath && !strings.HasSuffix(pattern, "/*") {
			return fmt.Errorf("path %q has no *, which stands for the model", clip(pattern))
		}
	}
	return nil
}

// checkModelMember accepts the names that engines use. A dot is between the names of an
// object and of a member in it.
func checkModelMember(member string, nested bool) error {
	if len(member) > maxModelMember {
		return fmt.Errorf("the member is longer than %d bytes", maxModelMember)
	}
	for name := range strings.SplitSeq(member, ".") {
		if !isModelMember(name) {
			return fmt.Errorf("%q is not a member; want letters, digits, _ and -, such as model", clip(member))
		}
	}
	if !nested && strings.Contains(member, ".") {
		return fmt.Errorf("%q: only a body has members in objects", clip(member))
	}
	return nil
}

func isModelMember(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
	})
}

// Find returns the model_in routes that match a method and a decoded path, and whether
// model_free matches them. A request that neither matches has to be refused: it may name a
// model anywhere. Another spelling of a model_in path, of any method, matches neither, unless
// the policy names it byte for byte: an upstream that ignores case, or a trailing slash, would
// serve it as the same route. Where both match, model_in wins.
func (m *ModelRoutes) Find(method, path string) (routes []ModelRoute, free bool) {
	routes, free = m.find(method, path), m.isFree(method, path)
	if strings.Contains(path, encodedSlash) {
		decoded := strings.ReplaceAll(path, encodedSlash, "/")
		if !slices.EqualFunc(routes, m.find(method, decoded), sameModelRoute) || free != m.isFree(method, decoded) {
			return nil, false
		}
	}
	if m.hidesRoute(method, path, routes) {
		return nil, false
	}
	return routes, len(routes) == 0 && free
}

func (m *ModelRoutes) find(method, path string) (routes []ModelRoute) {
	for i := range m.routes {
		if anyOrIn(m.routes[i].Methods, method) && matchAny(m.routes[i].Paths, path) {
			routes = append(routes, m.routes[i])
		}
	}
	return routes
}

func (m *ModelRoutes) isFree(method, path string) bool {
	return slices.ContainsFunc(m.free, func(f ModelFree) bool { return anyOrIn(f.Methods, method) && matchAny(f.Paths, path) })
}

func anyOrIn(methods []string, method string) bool {
	return len(methods) == 0 || slices.Contains(methods, method)
}

func sameModelRoute(a, b ModelRoute) bool {
	return a.Place == b.Place && a.Member == b.Member && slices.Equal(a.Methods, b.Methods) && slices.Equal(a.Paths, b.Paths)
}

// hidesRoute reports whether a path is another spelling of one in a route that it is not
// in itself.
func (m *ModelRoutes) hidesRoute(method, path string, routes []ModelRoute) bool {
	named := func(r ModelRoute) bool { return slices.Contains(r.Paths, path) }
	exempt := func(f ModelFree) bool { return anyOrIn(f.Methods, method) && slices.Contains(f.Paths, path) }
	if slices.ContainsFunc(m.free, exempt) || slices.ContainsFunc(routes, named) {
		return false
	}
	key, ok := PathKey(strings.ReplaceAll(path, encodedSlash, "/"))
	for i, keyed := range m.keyed {
		if matchAny(m.routes[i].Paths, path) {
			continue
		}
		if !ok || slices.ContainsFunc(keyed, func(k keyedPath) bool { return k.matches(key) }) {
			return true
		}
	}
	return false
}

// ModelOf returns the model that a decoded path names in a route of [ModelInPath]: what
// the * of its longest pattern matches. The longest is what a router would choose; a
// shorter one gives the same request another, longer name.
func (r ModelRoute) ModelOf(path string) string {
	longest := ""
	for _, pattern := range r.Paths {
		if matchPath(pattern, path) && len(pattern) > len(longest) {
			longest = pattern
		}
	}
	if longest == "" {
		return ""
	}
	return strings.ReplaceAll(path[len(longest)-1:], encodedSlash, "/")
}
