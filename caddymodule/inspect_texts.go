package caddymodule

import (
	"encoding/json"
	"slices"
)

// innerRoutes are the members of a handler that contain other handlers, which are
// inspected separately.
var innerRoutes = []string{"routes", "errors"}

// textsOf lists every string in a part of a configuration, including member names, except
// those of the handlers inside it.
func textsOf(value any) (texts []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			texts = append(texts, textsOf(item)...)
		}
	case map[string]any:
		for name, item := range v {
			if !slices.Contains(innerRoutes, name) {
				texts = append(append(texts, name), textsOf(item)...)
			}
		}
	}
	return texts
}

func decoded(raw json.RawMessage) (value any) {
	_ = json.Unmarshal(raw, &value)
	return value
}

// at returns the member at a path of names in a part of a configuration.
func at(value any, names ...string) any {
	for _, name := range names {
		doc, _ := value.(map[string]any)
		value = doc[name]
	}
	return value
}

// directiveNames maps handlers to their directives where the names differ.
var directiveNames = map[string]string{
	"headers": "header", "static_response": "respond", "authentication": "basic_auth", "subroute": "route", "request_body": "request_body",
}

// directive is the handler's name in a Caddyfile.
func (h *inspected) directive() string {
	if name, ok := directiveNames[h.name]; ok {
		return name
	}
	if h.name == "" {
		return "a handler"
	}
	return h.name
}
