package caddymodule

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/authmin"
)

// UsageConfig makes a guard record how many tokens each call took.
type UsageConfig struct {
	// How many identities have metrics of their own; all others share `other`, from 1
	// to 10,000. Default: 100.
	Identities int `json:"identities,omitempty"`
}

const (
	defaultIdentities = 100
	largestIdentities = 10_000
)

var errIdentities = errors.New("want identities and a number from 1 to 10,000")

// provisionUsage prepares the metrics of a guard with usage.
func (g *Guard) provisionUsage() error {
	if g.Usage == nil {
		return nil
	}
	if most := g.identities(); most < 0 || most > largestIdentities {
		return errIdentities
	}
	g.usage = g.app.metrics.usage(g.Name, g.app.state.identities.of(g.Name, g.identities()))
	return nil
}

// identities is how many identities have metrics of their own.
func (g *Guard) identities() int {
	if g.Usage == nil || g.Usage.Identities == 0 {
		return defaultIdentities
	}
	return g.Usage.Identities
}

// parseUsage reads the option:
//
//	usage {
//		identities <number>
//	}
//
// The block may be left out.
func (g *Guard) parseUsage(d *caddyfile.Dispenser, args []string) error {
	if len(args) != 0 {
		return d.Err("usage takes no value; its options are in a block: usage { identities 100 }")
	}
	g.Usage = new(UsageConfig)
	for d.NextBlock(1) {
		if d.Val() != "identities" {
			return d.Errf("unknown option %s of usage; want identities", d.Val())
		}
		if g.Usage.Identities != 0 {
			return d.Err("identities is given twice")
		}
		args := d.RemainingArgs()
		if len(args) != 1 {
			return d.Errf("%v", errIdentities)
		}
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 || n > largestIdentities {
			return d.Errf("%v", errIdentities)
		}
		g.Usage.Identities = n
	}
	return nil
}

// isCall reports whether a request may take tokens: it is none of the methods that only
// read or delete, its route is not one of `model_free`, and it opens no tunnel.
func (g *Guard) isCall(r *http.Request, s *requestState, d *authmin.Decision) bool {
	if isReading(r.Method) {
		return false
	}
	if _, upgrade := r.Header["Upgrade"]; upgrade || !d.Allow {
		return false
	}
	_, free := s.modelRoutes(g, r.Method, d.Path)
	return !free
}

// isReading reports whether a method is one of those for which engines generate nothing.
func isReading(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodTrace, http.MethodConnect:
		return true
	}
	return false
}

// countRoutes are the ends of the paths of engines that count or divide a text, or describe,
// copy or transfer a model: they generate nothing, and report no tokens.
var countRoutes = []string{
	"/tokenize", "/detokenize", "/apply-template",
	"/messages/count_tokens", "/responses/input_tokens", "/chat/completions/input_tokens",
	"/api/show", "/api/pull", "/api/push", "/api/create", "/api/copy",
}

// isCountRoute reports whether a request is for one of countRoutes. What a path ends with that
// names a model is the caller's choice.
func (g *Guard) isCountRoute(s *requestState, method, path string) bool {
	if !slices.ContainsFunc(countRoutes, func(end string) bool { return strings.HasSuffix(path, end) }) {
		return false
	}
	routes, _ := s.modelRoutes(g, method, path)
	return !slices.ContainsFunc(routes, func(r authmin.ModelRoute) bool { return r.Place == authmin.ModelInPath })
}
