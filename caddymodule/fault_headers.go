package caddymodule

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

func init() {
	faultChecks = append(faultChecks, writtenHeaders)
}

// headerWrite is one field that a handler adds, sets, replaces or deletes.
type headerWrite struct {
	name     string
	values   []string
	deletes  bool
	response bool
}

// writes lists the fields that a Caddy handler writes: header, request_header,
// header_up, header_down, health_headers, copy_headers, copy_response_headers, the
// headers of respond and push, and fastcgi variables that are equivalent to headers.
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

// operations lists the fields that Caddy's header operations write.
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

// identityName reports whether a header of this name states the identity, in any
// spelling that an upstream may treat as X-Auth-….
func identityName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "-", ".", "-", " ", "").Replace(name))
	folded := strings.ReplaceAll(name, "-", "")
	return strings.HasPrefix(name, "x-auth-") || name == "x-auth" ||
		slices.ContainsFunc([]string{"xauthidentity", "xauthscope", "xauthmodel"}, func(start string) bool { return strings.HasPrefix(folded, start) })
}

// otherIdentity matches the names of identity headers of other gateways.
var otherIdentity = regexp.MustCompile(`^(x-)?((remote|webauth|authenticated|consumer|impersonate|user|authentik)(-?(users?|names?|ids?|emails?|groups?|roles?|uid|login))*|forwarded-(users?|groups?|email|preferred-username|name|login|roles?))$`)

// fromClient finds placeholders whose values the client controls.
var fromClient = regexp.MustCompile(`(?i)\{http\.(request\.(header|cookie|uri|orig_uri|host|hostport|body|path|method)|regexp|vars|reverse_proxy\.header)\b`)

// writtenHeaders finds handlers that write what only the guard may write: the identity,
// and the gateway's credential for the upstream.
func writtenHeaders(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		level := in.severityOn(h.server)
		for _, w := range h.writes() {
			if text := h.writeFault(w); text != "" {
				faults = append(faults, faultf(level, h.server, "%s", text))
			} else if text := h.writeWarning(w); text != "" && in.guarded[h.server] {
				faults = append(faults, faultf(warning, h.server, "%s", text))
			}
		}
		destinations := textsOf(h.doc["destinations"])
		if h.name == "map" && slices.ContainsFunc(destinations, func(d string) bool { return strings.HasPrefix(strings.Trim(d, "{}"), "http.auth.") }) {
			faults = append(faults, faultf(level, h.server, "map writes {http.auth.…}, which only the guard may set: choose another name"))
		}
		if h.name == AppName {
			faults = append(faults, h.writtenCredentials()...)
		}
	}
	return faults
}

// writeFault describes why a write bypasses the guard; "" if it does not.
func (h *inspected) writeFault(w headerWrite) string {
	switch {
	case w.deletes:
		return ""
	case strings.Contains(w.name, "{"):
		return h.directive() + " writes a header whose name comes from a placeholder, so that it could be X-Auth-Identity or Authorization; write the name itself"
	case identityName(w.name):
		return h.directive() + " writes " + authmin.CleanField(w.name, authmin.MaxLoggedHost) + "; only the guard may set the identity, in X-Auth-Identity, X-Auth-Scopes and X-Auth-Models: remove it, or choose another name"
	case !w.response && strings.EqualFold(w.name, "Authorization") && len(h.before.guards) > 0 && slices.ContainsFunc(w.values, fromClient.MatchString):
		return h.directive() + " writes Authorization from what the client sent, in place of the gateway's own credential; remove it, and use upstream_token of the guard"
	}
	return ""
}

// writeWarning describes what may be wrong with a write that can be intended.
func (h *inspected) writeWarning(w headerWrite) string {
	name := strings.ToLower(w.name)
	switch {
	case w.response:
		return ""
	case w.deletes && deletesIdentity(name):
		return h.directive() + " deletes X-Auth-…, so that the upstream does not know the identity; remove it"
	case !w.deletes && name == "authorization" && len(h.before.guards) > 0:
		return h.directive() + " writes Authorization after the guard, on public routes as well; write `upstream_token SOURCE` into the guard in its place"
	case !w.deletes && otherIdentity.MatchString(name) && slices.ContainsFunc(w.values, fromClient.MatchString):
		return h.directive() + " writes " + authmin.CleanField(w.name, authmin.MaxLoggedHost) + " from what the client sent: an upstream may take it for the identity; write {http.auth.user.id}"
	}
	return ""
}

func deletesIdentity(pattern string) bool {
	return deletesField(pattern, authmin.HeaderIdentity) || identityName(pattern)
}

// deletesField reports whether a pattern of fields to delete, in lower case, matches a name.
func deletesField(pattern, name string) bool {
	name = strings.ToLower(name)
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
	return pattern == name
}

// writesCredential reports whether a handler writes a header field of the request that
// later handlers see.
func (h *inspected) writesCredential(name string) bool {
	return slices.ContainsFunc(h.writes(), func(w headerWrite) bool {
		return !w.response && !w.deletes && strings.EqualFold(w.name, name)
	})
}

// writtenCredentials are the fields that a guard reads a credential from, and that the
// configuration wrote before it.
func (h *inspected) writtenCredentials() (faults []Fault) {
	say := func(name string) {
		faults = append(faults, faultf(refused, h.server, "guard %s decides by an %s that the configuration wrote before it: every client would pass with it; remove request_header %s", h.guardName(), name, name).inGuard(*h, 0))
	}
	if h.before.credential {
		say("Authorization")
	}
	if h.before.apiKey && slices.Contains(textsOf(h.doc["credentials"]), credentialAPIKey) {
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
