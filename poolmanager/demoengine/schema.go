package demoengine

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
)

const (
	// maxSchemaDepth and maxInstances bound an instance: schemas may contain themselves.
	maxSchemaDepth = 24
	maxInstances   = 1024
	// shallow is how deep members that are not required, and alternatives that nest,
	// are still made.
	shallow = 4
	// maxCounted bounds minItems and minLength.
	maxCounted = 1024
)

// instanceOf is a JSON text that satisfies a schema; {} if it is not a JSON object of
// the usual kind.
func instanceOf(schema json.RawMessage) string {
	var root any
	if json.Unmarshal(schema, &root) != nil || root == nil {
		return "{}"
	}
	m := &schemaMaker{root: root}
	text, err := json.Marshal(m.make(root, 0))
	if err != nil { // it is made of JSON's own types
		return "{}"
	}
	return string(text)
}

// schemaMaker makes the instance of one schema.
type schemaMaker struct {
	root any
	made int
}

func (m *schemaMaker) make(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	m.made++
	if !ok || depth > maxSchemaDepth || m.made > maxInstances {
		if ok && kindOf(s) == "object" {
			return map[string]any{}
		}
		return nil
	}
	s = withHints(s)
	if ref, ok := s["$ref"].(string); ok {
		if target, ok := m.find(ref); ok {
			return m.make(target, depth+1)
		}
	}
	if value, ok := s["const"]; ok {
		return value
	}
	if values, ok := s["enum"].([]any); ok && len(values) > 0 {
		return values[0]
	}
	if all, ok := s["allOf"].([]any); ok {
		return m.make(m.merged(s, all), depth+1)
	}
	for _, name := range []string{"anyOf", "oneOf"} {
		if some, ok := s[name].([]any); ok && len(some) > 0 {
			return m.make(m.merged(s, []any{m.alternative(some, depth)}), depth+1)
		}
	}
	switch kindOf(s) {
	case "object":
		return m.object(s, depth)
	case "array":
		return m.array(s, depth)
	case "integer":
		return json.Number(formatNumber(number(s, 1)))
	case "number":
		return json.Number(formatNumber(number(s, 0)))
	case "boolean":
		return true
	case "null":
		return nil
	}
	return schemaText(s)
}

// kindOf is the type that is made: the first that is named and not null, or what the
// other members are of.
func kindOf(s map[string]any) string {
	switch kind := s["type"].(type) {
	case string:
		return kind
	case []any:
		for _, k := range kind {
			if name, ok := k.(string); ok && (name != "null" || len(kind) == 1) {
				return name
			}
		}
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return s[name] != nil })
	}
	switch {
	case has("properties", "required"):
		return "object"
	case has("items", "prefixItems", "minItems"):
		return "array"
	case has("minimum", "maximum", "multipleOf"):
		return "number"
	}
	return "string"
}

// find follows a reference within the schema: #/$defs/name.
func (m *schemaMaker) find(ref string) (any, bool) {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	at := m.root
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		object, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]; !ok {
			return nil, false
		}
	}
	return at, true
}

// merged is a schema and those that hold besides, as one.
func (m *schemaMaker) merged(s map[string]any, others []any) map[string]any {
	out := map[string]any{}
	take := func(from map[string]any) {
		for name, value := range from {
			switch old := out[name].(type) {
			case map[string]any: // properties of both
				more, ok := value.(map[string]any)
				if !ok {
					continue
				}
				both := map[string]any{}
				for n, v := range old {
					both[n] = v
				}
				for n, v := range more {
					both[n] = v
				}
				out[name] = both
			case []any: // required of both
				more, _ := value.([]any)
				out[name] = append(slices.Clone(old), more...)
			default:
				out[name] = value
			}
		}
	}
	base := map[string]any{}
	for name, value := range s {
		if name != "allOf" && name != "anyOf" && name != "oneOf" {
			base[name] = value
		}
	}
	take(base)
	for _, other := range others {
		o, ok := other.(map[string]any)
		for range maxSchemaDepth { // a reference to a reference
			ref, isRef := o["$ref"].(string)
			target, found := m.find(ref)
			if !ok || !isRef || !found {
				break
			}
			o, ok = target.(map[string]any)
		}
		if ok {
			take(o)
		}
	}
	return out
}

// alternative is the first; deep inside, the first that ends there.
func (m *schemaMaker) alternative(some []any, depth int) any {
	if depth < shallow {
		return some[0]
	}
	for _, one := range some {
		if s, ok := one.(map[string]any); ok && s["$ref"] == nil && kindOf(s) != "object" && kindOf(s) != "array" {
			return one
		}
	}
	return some[0]
}

func (m *schemaMaker) object(s map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, name := range required {
		if text, ok := name.(string); ok {
			out[text] = m.make(or(properties[text], s["additionalProperties"]), depth+1)
		}
	}
	if depth < shallow {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if _, there := out[name]; !there {
				out[name] = m.make(properties[name], depth+1)
			}
		}
	}
	return out
}

// or is the first that is a schema; an empty one for none.
func or(schemas ...any) any {
	for _, s := range schemas {
		if _, ok := s.(map[string]any); ok {
			return s
		}
	}
	return map[string]any{}
}

func (m *schemaMaker) array(s map[string]any, depth int) any {
	out := []any{}
	prefix, _ := s["prefixItems"].([]any)
	for _, schema := range prefix {
		out = append(out, m.make(schema, depth+1))
	}
	want := 0
	if depth < shallow {
		want = 1
	}
	least, most := bound(s, "minItems", 0), bound(s, "maxItems", math.Inf(1))
	n := int(min(max(least, min(float64(want), most)), maxCounted))
	for len(out) < n && m.made < maxInstances {
		item := m.make(or(s["items"]), depth+1)
		if s["uniqueItems"] == true && len(out) > 0 {
			item = another(item, len(out))
		}
		out = append(out, item)
	}
	return out
}

// another is an item that differs from those before it, where its schema leaves it that.
func another(item any, n int) any {
	switch item := item.(type) {
	case string:
		return item + strings.Repeat("-", n)
	case json.Number:
		value, err := item.Float64()
		if err == nil {
			return json.Number(formatNumber(value + float64(n)))
		}
	}
	return item
}

// bound is a number of the schema.
func bound(s map[string]any, name string, otherwise float64) float64 {
	if n, ok := s[name].(float64); ok {
		return n
	}
	return otherwise
}
