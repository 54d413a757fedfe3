package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// choose finds the one guard for a question, by its name and by the hosts of its sites.
func (s *settings) choose(guards []placedGuard, name, authority string) (placedGuard, error) {
	if len(guards) == 0 {
		return placedGuard{}, fmt.Errorf("%s has no authmin guard; write `authmin { … }` into a site", s.file)
	}
	var fit []placedGuard
	for _, g := range guards {
		if (name == "" || g.Name == name) && (authority == "" || s.serves(g, authority)) {
			fit = append(fit, g)
		}
	}
	if len(fit) > 0 && !slices.ContainsFunc(fit, func(g placedGuard) bool { return g.raw != fit[0].raw }) {
		return fit[0], nil // copies of one decide alike
	}
	var list []string
	for _, g := range guards {
		list = append(list, fmt.Sprintf("%s (%s)", g.Name, g.at))
	}
	if len(fit) == 0 {
		return placedGuard{}, fmt.Errorf("no guard has that name, or serves that host; there are: %s", strings.Join(list, ", "))
	}
	return placedGuard{}, fmt.Errorf("several guards could decide this; say which with --guard, and the site with a whole URL: %s", strings.Join(list, ", "))
}

// serves reports whether a guard is in a site for this host and port. A site without a
// host serves every host.
func (s *settings) serves(g placedGuard, authority string) bool {
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		host = authority
	}
	server := s.HTTP.Servers[g.server]
	if server == nil {
		return true
	}
	if port != "" && !slices.ContainsFunc(server.Listen, func(l string) bool { return strings.HasSuffix(l, ":"+port) }) {
		return false
	}
	return slices.ContainsFunc(server.Routes, func(route caddyhttp.Route) bool {
		return hostMatches(&route, host) && holds(&route, g.raw, server.NamedRoutes)
	})
}

func hostMatches(route *caddyhttp.Route, host string) bool {
	if len(route.MatcherSetsRaw) == 0 {
		return true
	}
	for _, set := range route.MatcherSetsRaw {
		raw, ok := set["host"]
		if !ok {
			return true
		}
		var hosts []string
		if json.Unmarshal(raw, &hosts) != nil {
			return true
		}
		for _, pattern := range hosts {
			// A wildcard stands for one label.
			_, rest, _ := strings.Cut(host, ".")
			if strings.EqualFold(pattern, host) || strings.EqualFold(pattern, "*."+rest) {
				return true
			}
		}
	}
	return false
}

// holds reports whether a guard is in a route or in the routes inside it.
func holds(route *caddyhttp.Route, guard string, named map[string]*caddyhttp.Route) bool {
	return slices.ContainsFunc(caddymodule.GuardsIn(route, named), func(seen caddymodule.RouteHandler) bool { return seen.Raw == guard })
}

// credential is what a question's caller sends: a token made for it.
type credential struct {
	secret authmin.Secret
	ring   *authmin.Keyring
}

func (c credential) keyring() *authmin.Keyring { return c.ring }

func (c credential) header() http.Header {
	if c.secret.IsZero() {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + c.secret.Reveal()}}
}

// callerOf makes the token of a question's caller: with the scopes of the
// question, or with the scopes and the times of the configured token of a name.
func (s *settings) callerOf(q *question, now time.Time) (credential, string, error) {
	if q.token == "" && q.scopes == nil {
		return credential{}, "the client", nil
	}
	secret := authmin.RandomSecret()
	token, caller := authmin.NewToken("caller", secret, q.scopes...), "the caller"
	if q.token != "" {
		configured, err := s.tokenNamed(q.token, now)
		if err != nil {
			return credential{}, "", err
		}
		token, caller = authmin.NewToken(q.token, secret, configured.Scopes...), "token "+q.token
		token.NotBefore, token.Expires, token.Revoked = configured.NotBefore, configured.Expires, configured.Revoked
		token.Models, token.Budgets = configured.Models, configured.Budgets
	}
	ring, err := authmin.NewKeyring([]authmin.Token{token})
	return credential{secret: secret, ring: ring}, caller, err
}

// errUnknownToken does not repeat the name, which could be a token.
var errUnknownToken = errors.New("no configured token has that name; `authmin token list` shows a keyring file's")

// tokenNamed finds a token's scopes, models, budgets and times. Of two that overlap in a rotation
// it takes the one that is valid.
func (s *settings) tokenNamed(name string, now time.Time) (authmin.Token, error) {
	if !s.App.Configured() && name == authmin.NameDefault {
		return authmin.Token{Name: name, Scopes: authmin.AllScopes()}, nil
	}
	for _, source := range s.App.Tokens {
		if source.Name == name {
			models, err := source.ModelList()
			return authmin.Token{Name: name, Scopes: source.Scopes, Models: models, Budgets: source.Budgets}, err
		}
	}
	var found *authmin.Token
	for _, path := range s.App.TokenFiles {
		tokens, err := authmin.ReadKeyringFile(path)
		if err != nil {
			return authmin.Token{}, err
		}
		for i := range tokens {
			if tokens[i].Name == name && (found == nil || tokens[i].VerdictAt(now) == authmin.VerdictValid) {
				found = &tokens[i]
			}
		}
	}
	if found == nil {
		return authmin.Token{}, errUnknownToken
	}
	return *found, nil
}
