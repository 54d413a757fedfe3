package demoengine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The roles of each API. Others are refused, as other engines refuse them.
var (
	chatRoles     = []string{"system", "developer", "user", "assistant", "tool", "function"}
	responseRoles = []string{"system", "developer", "user", "assistant"}
	messageRoles  = []string{"user", "assistant", "system"}
)

// wrongRole says what is wrong with a role, in OpenAI's words; "" for nothing.
func wrongRole(role string, known []string) string {
	switch {
	case role == "":
		return "role is missing"
	case !slices.Contains(known, role):
		return fmt.Sprintf("Invalid value: '%.40s'. Supported values are: '%s'.", role, strings.Join(known, "', '"))
	}
	return ""
}

// schemaTypes are JSON Schema's.
var schemaTypes = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// maxNested bounds the schemas in a schema.
const maxNested = 128

// Where a schema has others.
var (
	schemaMembers = []string{"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
	schemaLists   = []string{"anyOf", "oneOf", "allOf", "prefixItems"}
	schemaMaps    = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)

// wrongSchema says what is wrong with a schema that a request has; "" for nothing, and for
// one that is absent.
func wrongSchema(schema json.RawMessage) string {
	var root any
	if len(schema) == 0 || json.Unmarshal(schema, &root) != nil || root == nil {
		return ""
	}
	if _, ok := root.(map[string]any); !ok {
		return "a schema is an object"
	}
	return wrongSchemaAt("", 0, root)
}

func wrongSchemaAt(place string, depth int, schema any) string {
	if depth > maxNested {
		return fmt.Sprintf("a schema has at most %d levels", maxNested)
	}
	if _, ok := schema.(bool); ok {
		return ""
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return at(place, "a schema is an object, true or false")
	}
	if wrong := wrongType(s["type"]); wrong != "" {
		return at(place, wrong)
	}
	for _, name := range schemaMembers {
		if inner, ok := s[name]; ok {
			if _, list := inner.([]any); list && name == "items" { // of older drafts
				continue
			}
			if wrong := wrongSchemaAt(place+"/"+name, depth+1, inner); wrong != "" {
				return wrong
			}
		}
	}
	for _, name := range schemaLists {
		list, _ := s[name].([]any)
		for i, inner := range list {
			if wrong := wrongSchemaAt(fmt.Sprintf("%s/%s/%d", place, name, i), depth+1, inner); wrong != "" {
				return wrong
			}
		}
	}
	for _, name := range schemaMaps {
		members, _ := s[name].(map[string]any)
		for _, member := range slices.Sorted(maps.Keys(members)) {
			if wrong := wrongSchemaAt(place+"/"+name+"/"+member, depth+1, members[member]); wrong != "" {
				return wrong
			}
		}
	}
	return ""
}

func at(place, wrong string) string {
	if place == "" {
		return wrong
	}
	return fmt.Sprintf("at #%.200s: %s", place, wrong)
}

// wrongType judges the member type of a schema: one type's name, or a list of them.
func wrongType(kind any) string {
	var names []any
	switch kind := kind.(type) {
	case nil:
		return ""
	case []any:
		names = kind
	default:
		names = []any{kind}
	}
	for _, name := range names {
		text, ok := name.(string)
		if !ok || !slices.Contains(schemaTypes, text) {
			return fmt.Sprintf("'%.40v' is not a type of JSON Schema; want '%s'", name, strings.Join(schemaTypes, "', '"))
		}
	}
	if len(names) == 0 {
		return "type names none"
	}
	return ""
}
