package caddymodule

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/idna"
)

func init() {
	faultChecks = append(faultChecks, sharedPages)
}

// PageHandler is the name of package page's handler and directive.
const PageHandler = "authmin_page"

// besidePage are the handlers that may be in a page's site: those that only contain
// routes, and those that only set variables of Caddy, such as for `log_skip`.
var besidePage = []string{"subroute", "vars"}

// hasPage reports whether a configuration has a page.
func (c *Config) hasPage() bool {
	return slices.ContainsFunc(inspect(c).handlers, func(h inspected) bool { return h.name == PageHandler })
}

// sharedPages refuses a page that is not alone on its host or listener: the answer of any
// other handler there has the page's origin, and a script in it could read the token that
// is typed into the page.
func sharedPages(in *inspection) (faults []Fault) {
	for i := range in.handlers {
		page := &in.handlers[i]
		if page.name != PageHandler {
			continue
		}
		if text := page.unguardedPage(); text != "" {
			faults = append(faults, faultf(refused, page.server, "%s", text))
		}
		for j := range in.handlers {
			other := &in.handlers[j]
			if i == j || slices.Contains(besidePage, other.name) || page.isGuardedBy(other) || !in.sameOrigin(page, other) {
				continue
			}
			faults = append(faults, faultf(refused, page.server,
				"authmin_page shares its host and port with %s, whose answers could contain a script that reads the token; give the page a site of its own, with another host name or port", other.directive()))
		}
	}
	return faults
}

// unguardedPage says what is wrong with the guard before a page, or with its place.
func (h *inspected) unguardedPage() string {
	for _, route := range h.before.around {
		for _, set := range route.MatcherSetsRaw {
			for name := range set {
				if name != "host" {
					return "authmin_page is inside a block with a matcher; write it directly into its site"
				}
			}
		}
	}
	if len(h.before.guards) == 1 && !h.errors && !h.before.rewritten {
		g, err := ReadGuard(h.before.guards[0])
		if err == nil && g.TokenOnly && !g.Shadow && len(g.CORS) == 0 {
			return ""
		}
	}
	return "authmin_page has not the guard that its directive makes; write `authmin_page` in a Caddyfile, and adapt that"
}

func (h *inspected) isGuardedBy(other *inspected) bool {
	return other.name == AppName && slices.Contains(h.before.guards, canonical(other.raw))
}

// sameOrigin reports whether two handlers could answer for one origin. In case of doubt
// they could.
func (in *inspection) sameOrigin(a, b *inspected) bool {
	if a.server != b.server && !in.sharePort(a.server, b.server) {
		return false
	}
	mine, others := a.hosts(), b.hosts()
	if mine == nil || others == nil {
		return true
	}
	return slices.ContainsFunc(mine, func(host string) bool {
		return slices.ContainsFunc(others, func(other string) bool {
			return strings.EqualFold(host, other) || strings.ContainsAny(host+other, "*{")
		})
	})
}

// hosts are the host names of a handler's site; nil for any.
func (h *inspected) hosts() (hosts []string) {
	if len(h.before.around) == 0 {
		return nil
	}
	for _, set := range h.before.around[0].MatcherSetsRaw {
		var names []string
		if json.Unmarshal(set["host"], &names) != nil || len(names) == 0 {
			return nil
		}
		for _, name := range names {
			if plain, err := idna.ToASCII(name); err == nil { // as Caddy and browsers compare names
				name = plain
			}
			hosts = append(hosts, name)
		}
	}
	return hosts
}

// sharePort reports whether two servers listen on one port, such as of different
// addresses of this machine.
func (in *inspection) sharePort(a, b string) bool {
	return slices.ContainsFunc(portsOf(in.HTTP.Servers[a]), func(port string) bool {
		return slices.Contains(portsOf(in.HTTP.Servers[b]), port)
	})
}

// portsOf are the ports of a server's listeners, and the addresses of those that are not
// known.
func portsOf(server *caddyhttp.Server) (ports []string) {
	for _, listen := range server.Listen {
		address, err := caddy.ParseNetworkAddress(listen)
		if err != nil || address.IsUnixNetwork() || address.PortRangeSize() > maxPorts {
			ports = append(ports, listen)
			continue
		}
		for offset := range address.PortRangeSize() {
			ports = append(ports, strconv.FormatUint(uint64(address.StartPort+offset), 10))
		}
	}
	return ports
}
