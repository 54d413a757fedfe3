package caddymodule

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

func init() {
	examinations = append(examinations, writtenHeaders)
}

// headerWrite is one field that a handler adds, sets or replaces, or takes off.
type headerWrite struct {
	name     string
	values   []string
	deletes  bool
	response bool
}

// writes lists the fields that a handler of Caddy's writes: header, request_header,
// header_up, header_down, health_headers, copy_headers, copy_response_headers, the
// headers of respond and push, and those that a fastcgi variable is taken for.
func (h *inspected) writes() (list []headerWrite) {
	switch h.name {
	case "headers":
		list = append(operations(h.doc["request"], false), operations(h.doc["response"], true)...)
	case "push":
		list = operations(h.doc["headers"], false)
	case "static_response":
		list = fields(h.doc["headers"], true)
	case "copy_response_headers":
		for _, name := range textsOf(h.doc["include"]) {
			list = append(list, headerWrite{name: name, response: true})
		}
	case "reverse_proxy":
		list = append(operations(at(h.doc, "headers", "request"), false), operations(at(h.doc, "headers", "response"), true)...)
		list = append(list, fields(at(h.doc, "health_checks", "active", "headers"), false)...)
		variables, _ := at(h.doc, "transport", "env").(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			if header, ok := strings.CutPrefix(strings.ToUpper(name), "HTTP_"); ok {
				list = append(list, headerWrite{name: header, values: textsOf(variables[name])})
			}
		}
	}
	return list
}

// operations are what Caddy's header operations do.
func operations(doc any, response bool) (list []headerWrite) {
	list = append(fields(at(doc, "add"), response), fields(at(doc, "set"), response)...)
	for _, w := range fields(at(doc, "replace"), response) {
		if w.name == "*" { // every field
			for _, name := range []string{"X-Auth-*", "Authorization", authmin.HeaderAPIKey} {
				list = append(list, headerWrite{name: name, values: w.values, response: response})
			}
			continue
		}
		list = append(list, w)
	}
	for _, name := range textsOf(at(doc, "delete")) {
		list = append(list, headerWrite{name: name, deletes: true, response: response})
	}
	return list
}

func fields(doc any, response bool) (list []headerWrite) {
	header, _ := doc.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		list = append(list, headerWrite{name: name, values: textsOf(header[name]), response: response})
	}
	return list
}

// identityName reports whether a header of this name says who asks, in any spelling
// that an upstream may take for X-Auth-….
func identityName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "-", ".", "-", " ", "").Replace(name))
	folded := strings.ReplaceAll(name, "-", "")
	return strings.HasPrefix(name, "x-auth-") || name == "x-auth" ||
		slices.ContainsFunc([]string{"xauthidentity", "xauthscope", "xauthmodel"}, func(start string) bool { return strings.HasPrefix(folded, start) })
}

// otherIdentity finds names by which programs behind other gateways know who asks.
var otherIdentity = regexp.MustCompile(`^(x-)?((remote|webauth|authenticated|consumer|impersonate|user|authentik)(-?(users?|names?|ids?|emails?|groups?|roles?|uid|login))*|forwarded-(users?|groups?|email|preferred-username|name|login|roles?))$`)

// fromClient finds the placeholders whose values are the client's own words.
var fromClient = regexp.MustCompile(`(?i)\{http\.(request\.(header|cookie|uri|orig_uri|host|hostport|body|path|method)|regexp|vars|reverse_proxy\.header)\b`)

// writtenHeaders finds handlers that put words into the guard's mouth: who asks, and
// what the upstream takes for the gateway's credential.
func writtenHeaders(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		severity := in.severity(h.server)
		for _, w := range h.writes() {
			if text := h.judge(w); text != "" {
				faults = append(faults, faultf(severity, h.server, "%s", text))
			} else if text := h.doubt(w); text != "" && in.guarded[h.server] {
				faults = append(faults, faultf(suspect, h.server, "%s", text))
			}
		}
		destinations := textsOf(h.doc["destinations"])
		if h.name == "map" && slices.ContainsFunc(destinations, func(d string) bool { return strings.HasPrefix(strings.Trim(d, "{}"), "http.auth.") }) {
			faults = append(faults, faultf(severity, h.server, "map writes {http.auth.…}, which says who asks; the guard alone says that: choose another name"))
		}
		if h.name == AppName {
			faults = append(faults, h.writtenCredentials()...)
		}
	}
	return faults
}

// judge says what is wrong with a write, "" when nothing is.
func (h *inspected) judge(w headerWrite) string {
	switch {
	case w.deletes:
		return ""
	case strings.Contains(w.name, "{"):
		return h.directive() + " writes a header whose name comes from a placeholder, so that it could be X-Auth-Identity or Authorization; write the name itself"
	case identityName(w.name):
		return h.directive() + " writes " + authmin.CleanField(w.name, authmin.MaxLoggedHost) + "; the guard alone says who asks, in X-Auth-Identity, X-Auth-Scopes and X-Auth-Models: remove it, or choose another name"
	case !w.response && strings.EqualFold(w.name, "Authorization") && len(h.way.guards) > 0 && slices.ContainsFunc(w.values, fromClient.MatchString):
		return h.directive() + " writes Authorization from what the client sent, in place of the gateway's own credential; remove it, and use upstream_token of the guard"
	}
	return ""
}

// doubt says what looks wrong about a write, and can be meant.
func (h *inspected) doubt(w headerWrite) string {
	name := strings.ToLower(w.name)
	switch {
	case w.response:
		return ""
	case w.deletes && takesOffIdentity(name):
		return h.directive() + " takes X-Auth-… off, so that the upstream does not know who asks; remove it"
	case !w.deletes && name == "authorization" && len(h.way.guards) > 0:
		return h.directive() + " writes Authorization after the guard, on public routes as well; write `upstream_token SOURCE` into the guard in its place"
	case !w.deletes && otherIdentity.MatchString(name) && slices.ContainsFunc(w.values, fromClient.MatchString):
		return h.directive() + " writes " + authmin.CleanField(w.name, authmin.MaxLoggedHost) + " from what the client sent: an upstream may take it for who asks; write {http.auth.user.id}"
	}
	return ""
}

func takesOffIdentity(pattern string) bool {
	name := strings.ToLower(authmin.HeaderIdentity)
	prefix, suffix := strings.HasSuffix(pattern, "*"), strings.HasPrefix(pattern, "*")
	word := strings.Trim(pattern, "*")
	switch {
	case prefix && suffix:
		return strings.Contains(name, word)
	case prefix:
		return strings.HasPrefix(name, word)
	case suffix:
		return strings.HasSuffix(name, word)
	}
	return identityName(pattern)
}

// writesCredential reports whether a handler puts something into a field of the request
// that the handlers after it see.
func (h *inspected) writesCredential(name string) bool {
	return slices.ContainsFunc(h.writes(), func(w headerWrite) bool {
		return !w.response && !w.deletes && strings.EqualFold(w.name, name)
	})
}

// writtenCredentials are the fields that a guard reads a credential from, and that the
// configuration wrote before it.
func (h *inspected) writtenCredentials() (faults []Fault) {
	say := func(name string) {
		faults = append(faults, faultf(refused, h.server, "guard %s judges an %s that the configuration wrote before it: every client would pass with it; remove request_header %s", h.guardName(), name, name).of(*h, 0))
	}
	if h.way.credential {
		say("Authorization")
	}
	if h.way.apiKey && slices.Contains(textsOf(h.doc["credentials"]), credentialAPIKey) {
		say(authmin.HeaderAPIKey)
	}
	return faults
}

func (h *inspected) guardName() string {
	if name, ok := h.doc["name"].(string); ok && name != "" {
		return name
	}
	return defaultGuardName
}
