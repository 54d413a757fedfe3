package caddymodule

import (
	"encoding/json"
	"slices"
)

// innerRoutes are the members of a handler that hold handlers of their own. These
// are inspected by themselves.
var innerRoutes = []string{"routes", "errors"}

// textsOf lists every text in a piece of configuration, member names among them, but
// not those of the handlers in it.
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

// at follows member names into a piece of configuration.
func at(value any, names ...string) any {
	for _, name := range names {
		doc, _ := value.(map[string]any)
		value = doc[name]
	}
	return value
}

// directiveNames are what a Caddyfile calls the handlers that it names otherwise.
var directiveNames = map[string]string{
	"headers": "header", "static_response": "respond", "authentication": "basic_auth", "subroute": "route", "request_body": "request_body",
}

// directive is what an operator calls the handler.
func (h *inspected) directive() string {
	if name, ok := directiveNames[h.name]; ok {
		return name
	}
	if h.name == "" {
		return "a handler"
	}
	return h.name
}
