package caddymodule

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

func init() {
	faultChecks = append(faultChecks, chosenUpstreams)
}

// placeholder matches a placeholder, as Caddy's replacer does.
var placeholder = regexp.MustCompile(`\{([^{}\s]+)\}`)

// fixedPlaceholders are prefixes of the placeholders whose values the operator sets.
var fixedPlaceholders = []string{"env.", "file.", "system.", "time."}

// chosenUpstreams finds proxies whose upstream address a client can choose. Requests of
// other identities, and the gateway's credential, could be sent to that address.
func chosenUpstreams(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != "reverse_proxy" {
			continue
		}
		o := origins{in: in, server: h.server}
		for _, text := range h.addresses() {
			name := o.unfixed(text)
			if strings.HasPrefix(name, "args[") {
				faults = append(faults, faultf(in.severityOn(h.server), h.server, "reverse_proxy goes to {%s}, which has no value: the import of this snippet passes too few arguments; write the address after its name", name))
			} else if name != "" {
				faults = append(faults, faultf(in.severityOn(h.server), h.server,
					"reverse_proxy takes its upstream's address from {%s}, so that a client may choose where requests and the gateway's credential are sent; write the address, or {env.NAME}, or choose between proxies by matchers", name))
			}
		}
	}
	return faults
}

// addresses are the settings of a proxy that determine where it sends requests, or
// through which other proxy.
func (h *inspected) addresses() (texts []string) {
	upstreams, _ := h.doc["upstreams"].([]any)
	for _, upstream := range upstreams {
		texts = append(texts, textsOf(at(upstream, "dial"))...)
	}
	texts = append(texts, textsOf(h.doc["dynamic_upstreams"])...)
	for _, name := range []string{"forward_proxy_url", "network_proxy", "resolver", "local_address"} {
		texts = append(texts, textsOf(at(h.doc, "transport", name))...)
	}
	for _, name := range textsOf(at(h.doc, "transport", "tls", "server_name")) {
		if !strings.Contains(name, "{http.reverse_proxy.upstream.") { // what Caddy's documents recommend
			texts = append(texts, name)
		}
	}
	return texts
}

// origins traces placeholders to the origin of their values, on one server.
type origins struct {
	in     *inspection
	server string
	seen   []string // placeholders that are being followed
}

// unfixed returns the first placeholder in a text whose value the operator does not set;
// "" if there is none.
func (o *origins) unfixed(text string) string {
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		if !o.fixed(match[1]) {
			return match[1]
		}
	}
	return ""
}

func (o *origins) fixed(name string) bool {
	if slices.ContainsFunc(fixedPlaceholders, func(start string) bool { return strings.HasPrefix(name, start) }) {
		return true
	}
	if slices.Contains(o.seen, name) {
		return false // it refers to itself: its value is unknown
	}
	o.seen = append(o.seen, name)
	defer func() { o.seen = o.seen[:len(o.seen)-1] }()
	values, known := o.values(name)
	return known && !slices.ContainsFunc(values, func(value string) bool { return o.unfixed(value) != "" })
}

// values returns all values that a variable of `vars`, or a placeholder of `map`, may
// have. They are not known if a client can choose the name of the variable, or a part of
// the value through a regular expression.
func (o *origins) values(name string) (values []string, known bool) {
	variable, isVariable := strings.CutPrefix(name, "http.vars.")
	for _, h := range o.in.handlers {
		if h.server != o.server {
			continue
		}
		switch h.name {
		case "vars":
			for _, key := range slices.Sorted(maps.Keys(h.doc)) {
				if isVariable && strings.Contains(key, "{") {
					return nil, false
				}
				if isVariable && key == variable && key != "handler" {
					values, known = append(values, textsOf(h.doc[key])...), true
				}
			}
		case "map":
			index := slices.IndexFunc(textsOf(h.doc["destinations"]), func(d string) bool { return strings.Trim(d, "{}") == name })
			if index < 0 {
				continue
			}
			outputs, ok := mapOutputs(h.doc, index)
			if !ok {
				return nil, false
			}
			values, known = append(values, outputs...), true
		}
	}
	return values, known
}

// mapOutputs are the values that a map handler may write to one of its destinations.
func mapOutputs(doc map[string]any, index int) (values []string, ok bool) {
	mappings, _ := doc["mappings"].([]any)
	for _, mapping := range mappings {
		outputs, _ := at(mapping, "outputs").([]any)
		if index >= len(outputs) {
			continue
		}
		texts := textsOf(outputs[index])
		if at(mapping, "input_regexp") != nil && strings.Contains(strings.Join(texts, ""), "$") {
			return nil, false
		}
		values = append(values, texts...)
	}
	defaults, _ := doc["defaults"].([]any)
	if index < len(defaults) {
		values = append(values, textsOf(defaults[index])...)
	}
	return values, true
}
