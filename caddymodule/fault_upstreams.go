package caddymodule

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

func init() {
	examinations = append(examinations, chosenUpstreams)
}

// placeholder finds one, as Caddy's replacer does.
var placeholder = regexp.MustCompile(`\{([^{}\s]+)\}`)

// fixedPlaceholders begin the names of those whose values are the operator's.
var fixedPlaceholders = []string{"env.", "file.", "system.", "time."}

// chosenUpstreams finds proxies whose upstream's address a client can choose. Who
// chooses it gets what the guard protects, and the gateway's credential with it.
func chosenUpstreams(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != "reverse_proxy" {
			continue
		}
		o := origins{in: in, server: h.server}
		for _, text := range h.addresses() {
			name := o.unfixed(text)
			if strings.HasPrefix(name, "args[") {
				faults = append(faults, faultf(in.severity(h.server), h.server, "reverse_proxy goes to {%s}, which has no value: the import of this snippet gives too few arguments; write the address after its name", name))
			} else if name != "" {
				faults = append(faults, faultf(in.severity(h.server), h.server,
					"reverse_proxy takes its upstream's address from {%s}, so that a client may choose where requests go, with the gateway's credential; write the address, or {env.NAME}, or choose between proxies by matchers", name))
			}
		}
	}
	return faults
}

// addresses are the texts of a proxy that say where requests go, or by which other
// proxy they go there.
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

// origins follow placeholders to where their values come from, on one server.
type origins struct {
	in     *inspection
	server string
	seen   []string // placeholders that are being followed
}

// unfixed returns the first placeholder in a text whose value is not the operator's,
// "" when there is none.
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
		return false // it is made of itself: nothing is known of it
	}
	o.seen = append(o.seen, name)
	defer func() { o.seen = o.seen[:len(o.seen)-1] }()
	values, known := o.values(name)
	return known && !slices.ContainsFunc(values, func(value string) bool { return o.unfixed(value) != "" })
}

// values are all that a variable of `vars`, or a placeholder of `map`, may hold. It
// is not known where a client can choose the variable's name, or takes a part in the
// value by a regular expression.
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

// mapOutputs are what a map handler may put into one of its destinations.
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
