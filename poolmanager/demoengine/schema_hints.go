package demoengine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxHinted bounds the description that is read, which may be read once for each instance.
const maxHinted = 4 << 10

// hinted are the members that withHints reads.
var hinted = []string{
	"enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
	"minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems",
}

// withHints is a schema with the members that its description ends with, such as
// {enum: ["a","b"], minItems: 2}. Anthropic's SDKs move there what the API's schemas do
// not have, and check the answer for it.
func withHints(s map[string]any) map[string]any {
	description, _ := s["description"].(string)
	if len(description) > maxHinted {
		return s
	}
	at := strings.LastIndex("\n\n"+description, "\n\n{")
	if at < 0 {
		return s
	}
	rest := description[at+1:]
	all := maps.Clone(s)
	for {
		name, value, found := strings.Cut(rest, ": ")
		if !found {
			return s
		}
		var hint any
		decoder := json.NewDecoder(strings.NewReader(value))
		if decoder.Decode(&hint) != nil {
			return s
		}
		if _, has := s[name]; !has && slices.Contains(hinted, name) {
			all[name] = hint
		}
		rest = value[decoder.InputOffset():]
		if rest == "}" {
			return all
		}
		if rest, found = strings.CutPrefix(rest, ", "); !found {
			return s
		}
	}
}
