package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// examineBypass checks whether requests of this machine need a token.
func (d *doctor) examineBypass() {
	value, set := "", false
	switch {
	case d.settings == nil || !d.settings.App.Configured():
		value, set = d.getenv(caddymodule.EnvOptional)
	default:
		value, set = d.fill(d.settings.App.Optional)
	}
	on, err := authmin.ParseOptional(value)
	switch {
	case err != nil:
		d.problem("AUTH_OPTIONAL (`optional`) is neither true nor false, so the gateway does not start", "set it to true or false, or unset it")
	case on:
		d.bypass = true
		d.note("requests from this machine need no token (AUTH_OPTIONAL); a tunnel or proxy that adds no forwarding header, such as `ssh -R`, socat or nginx as it comes, counts as this machine",
			"unset AUTH_OPTIONAL unless only you use this machine")
	case set && value != "":
		d.ok("requests from this machine need a token")
	}
	if value, _ := d.getenv(caddymodule.EnvTrustProxy); value != "" && (d.settings == nil || !d.settings.App.Configured()) {
		if trust, err := authmin.ParseOptional(value); err != nil || trust {
			d.problem("TRUST_PROXY_AUTH is set, but names no proxy, so the gateway does not start",
				"unset it, and write `trust_proxy CIDR…` into a global authmin block")
		}
	}
}

// fill substitutes the environment for {env.NAME}, the only placeholder that is useful
// there.
func (d *doctor) fill(text string) (string, bool) {
	name, ok := strings.CutPrefix(text, "{env.")
	if !ok || !strings.HasSuffix(name, "}") {
		return text, text != ""
	}
	return d.getenv(strings.TrimSuffix(name, "}"))
}

// examineListeners checks from where the servers with guards can be reached.
func (d *doctor) examineListeners() {
	s := d.settings
	guards, err := guardsOf(s)
	if err != nil {
		return // lint reports it
	}
	haveToken := d.tokenIsConfigured()
	for _, name := range s.Servers() {
		server := s.HTTP.Servers[name]
		plaintext, guarded := false, false
		for _, g := range guards {
			if g.server == name {
				guarded, plaintext = true, plaintext || g.Plaintext
			}
		}
		for _, address := range server.Listen {
			d.examineListener(address, d.servesTLS(server, address), guarded, plaintext, haveToken)
		}
	}
}

func (d *doctor) examineListener(address string, tls, guarded, plaintext, haveToken bool) {
	parsed, err := caddy.ParseNetworkAddress(address)
	switch {
	case err != nil:
		d.problem(fmt.Sprintf("listener %s is not an address", address), "correct it")
	case caddymodule.IsLoopback(parsed):
		d.ok("listener %s is for this machine only", address)
	case !guarded:
		d.note(fmt.Sprintf("listener %s can be reached from other machines, and has no authmin guard", address), "check that it serves only public content, or bind 127.0.0.1")
	case !haveToken:
		d.problem(fmt.Sprintf("listener %s can be reached from other machines, and no token is configured", address), "make one with `authmin token new`, or bind 127.0.0.1")
	case !tls && !plaintext:
		d.problem(fmt.Sprintf("listener %s can be reached from other machines by plain HTTP, where tokens travel in clear", address), "give the site a host name, for which Caddy gets a certificate, or bind 127.0.0.1")
	case !tls:
		d.note(fmt.Sprintf("listener %s serves plain HTTP to other machines, for a TLS terminator in front (`plaintext`)", address), "see that only the terminator can reach it, by a firewall or a private network")
	default:
		d.ok("listener %s is for other machines, by TLS", address)
	}
}

// servesTLS follows Caddy: a server has TLS by its own policies, or, on another
// port than the one for plain HTTP, by a certificate that automatic HTTPS gets
// for its host names.
func (d *doctor) servesTLS(server *caddyhttp.Server, address string) bool {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return false
	}
	httpPort := d.settings.HTTP.HTTPPort
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	if int(parsed.StartPort) == httpPort {
		return false
	}
	if len(server.TLSConnPolicies) > 0 {
		return true
	}
	if server.AutoHTTPS != nil && server.AutoHTTPS.Disabled {
		return false
	}
	for _, route := range server.Routes {
		for _, set := range route.MatcherSetsRaw {
			var hosts []string
			if json.Unmarshal(set["host"], &hosts) == nil && len(hosts) > 0 && !skipsHTTPS(server, hosts) {
				return true
			}
		}
	}
	return false
}

func skipsHTTPS(server *caddyhttp.Server, hosts []string) bool {
	if server.AutoHTTPS == nil {
		return false
	}
	for _, host := range hosts {
		if !slices.Contains(server.AutoHTTPS.Skip, host) {
			return false
		}
	}
	return true
}

// examineAdmin checks the admin endpoint, which can replace the whole configuration.
func (d *doctor) examineAdmin() {
	const fix = "write `admin unix//run/llorch/admin.sock|0600`, or `admin off`, into the global options"
	admin := d.settings.Caddy.Admin
	switch {
	case admin != nil && admin.Disabled:
		d.ok("the admin endpoint is off")
	case admin == nil || admin.Listen == "":
		d.problem("the admin endpoint is on TCP, at localhost:2019: every user and every program of this machine can remove the guard", fix)
	case !strings.HasPrefix(admin.Listen, "unix/"):
		d.problem(fmt.Sprintf("the admin endpoint is on TCP, at %s: every client that reaches it can remove the guard", admin.Listen), fix)
	default:
		path, mode, ok := strings.Cut(strings.TrimPrefix(admin.Listen, "unix/"), "|")
		if ok && (len(mode) < 3 || mode[len(mode)-1] != '0') {
			d.problem(fmt.Sprintf("the admin endpoint %s is open to other users (mode %s): they can remove the guard", path, mode), fix)
			return
		}
		d.ok("the admin endpoint is the Unix socket %s", path)
		d.examineTree(path, "the admin socket")
	}
	if remote := d.settings.Caddy.Admin; remote != nil && remote.Remote != nil {
		d.note("the admin endpoint is also served to other machines (remote administration)", "remove it from the configuration unless you need it")
	}
}
