package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// Pages of other origins. A browser lets a page send a request with a token to another
// origin, and read the answer, only if that origin says so. A guard with `cors` says so
// for the origins that it names, and is the only one that does: it answers the
// preflights, and removes what an upstream says. Cookies are never allowed
// (Access-Control-Allow-Credentials), so a page needs a token of its own.
//
// A shadow guard leaves all of it to the upstream, as it does without `cors`.

const (
	headerAllowOrigin   = "Access-Control-Allow-Origin"
	headerAllowMethods  = "Access-Control-Allow-Methods"
	headerAllowHeaders  = "Access-Control-Allow-Headers"
	headerExposeHeaders = "Access-Control-Expose-Headers"
	headerMaxAge        = "Access-Control-Max-Age"
)

// preflightAge is how long browsers keep the answer to a preflight, in seconds.
const preflightAge = 600

// maxOrigins bounds the origins of one guard.
const maxOrigins = 256

// corsRule is what a guard lets pages of other origins do.
type corsRule struct {
	origins map[string]bool
	methods string // for Access-Control-Allow-Methods
}

// corsRuleOf checks the origins; nil without any.
func (g *Guard) corsRuleOf() (*corsRule, error) {
	if len(g.CORS) == 0 {
		return nil, nil
	}
	if len(g.CORS) > maxOrigins {
		return nil, fmt.Errorf("%d origins are over the limit of %d", len(g.CORS), maxOrigins)
	}
	c := &corsRule{origins: map[string]bool{}, methods: strings.Join(g.methodsOfPolicy(), ", ")}
	for _, origin := range g.CORS {
		if err := authmin.CheckOrigin(origin); err != nil {
			return nil, fmt.Errorf("%s: %w", authmin.CleanText(origin, authmin.MaxLoggedHost), err)
		}
		if c.origins[origin] {
			return nil, fmt.Errorf("%s is named twice", origin)
		}
		c.origins[origin] = true
	}
	return c, nil
}

// usualMethods are what a rule without methods allows, as far as pages use it.
var usualMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// methodsOfPolicy are the methods of all rules that let something in. They are the same
// for every path, so that a preflight does not say which methods a route has.
func (g *Guard) methodsOfPolicy() (methods []string) {
	for _, rule := range g.Rules {
		switch {
		case rule.Action == "deny":
			continue
		case len(rule.Methods) == 0:
			methods = append(methods, usualMethods...)
		}
		methods = append(methods, rule.Methods...)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// originOf is the page's origin if the guard names it, else "".
func (c *corsRule) originOf(h http.Header) string {
	if origins := h[authmin.HeaderOrigin]; len(origins) == 1 && c.origins[origins[0]] {
		return origins[0]
	}
	return ""
}

// clientOrigin is the listed origin of the page that a request came from. A guard in the
// error routes finds it where the guard before has taken it off.
func (g *Guard) clientOrigin(r *http.Request) string {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	if sent, ok := vars[varGuard].(originalHeader); ok {
		return g.cors.originOf(sent.header)
	}
	return g.cors.originOf(r.Header)
}

// sanitizeCORS takes off a request what the guard has answered itself. Some upstreams
// refuse origins that they do not know; that of an unknown page stays.
func (s *requestState) sanitizeCORS(h http.Header) {
	if s.cors == nil {
		return
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-Request-") {
			delete(h, name)
		}
	}
	if s.origin != "" {
		delete(h, authmin.HeaderOrigin)
	}
}

// answerPreflight tells a browser what a page of a listed origin may send: the same for
// every path. Other origins are told nothing.
func (g *Guard) answerPreflight(r *http.Request, s *requestState) {
	h := s.Header()
	s.keepHeader()
	if s.origin != "" {
		delete(h, headerExposeHeaders)
		h[headerAllowMethods] = []string{g.cors.methods}
		h[headerAllowHeaders] = []string{strings.Join(g.allowedHeaders(s.headers), ", ")}
		h[headerMaxAge] = []string{strconv.Itoa(preflightAge)}
	}
	if r.ProtoMajor == 1 && r.ContentLength != 0 { // it is not read: see refuse
		h.Set("Connection", "close")
	}
	s.ResponseWriter.WriteHeader(http.StatusNoContent)
}
