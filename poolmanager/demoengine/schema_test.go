package demoengine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestAnInstanceSatisfiesItsSchema asks another implementation.
func TestAnInstanceSatisfiesItsSchema(t *testing.T) {
	for name, schema := range map[string]string{
		"object":        `{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":3,"maximum":5}},"required":["city","days"],"additionalProperties":false}`,
		"nested":        `{"type":"object","properties":{"list":{"type":"array","minItems":2,"items":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}}},"required":["list"]}`,
		"enum":          `{"type":"string","enum":["b","a"]}`,
		"length":        `{"type":"string","minLength":20,"maxLength":22}`,
		"short":         `{"type":"string","maxLength":2}`,
		"pattern":       `{"type":"string","pattern":"^[A-Z]{2}-\\d{3,5}(x|y)?$"}`,
		"format":        `{"type":"string","format":"date-time"}`,
		"exclusive":     `{"type":"number","minimum":0,"exclusiveMinimum":true,"maximum":0.5}`,
		"multiple":      `{"type":"integer","minimum":10,"multipleOf":7}`,
		"negative":      `{"type":"integer","maximum":-5}`,
		"anyOf":         `{"anyOf":[{"type":"integer"},{"type":"string"}]}`,
		"allOf":         `{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"boolean"}},"required":["b"]}]}`,
		"empty array":   `{"type":"array","maxItems":0,"items":{"type":"string"}}`,
		"unique":        `{"type":"array","minItems":3,"uniqueItems":true,"items":{"type":"integer"}}`,
		"without types": `{"properties":{"a":{"minimum":2}},"required":["a","b"]}`,
	} {
		var checked openapi3.Schema
		if err := json.Unmarshal([]byte(schema), &checked); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := instanceOf(json.RawMessage(schema))
		var value any
		if err := json.Unmarshal([]byte(got), &value); err != nil {
			t.Fatalf("%s: %s: %v", name, got, err)
		}
		if err := checked.VisitJSON(value); err != nil {
			t.Errorf("%s: %s: %v", name, got, err)
		}
	}
}

func TestASchemaThatContainsItselfHasABoundedInstance(t *testing.T) {
	for name, schema := range map[string]string{
		"by reference":   `{"$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["next"]}},"$ref":"#/$defs/node"}`,
		"without an end": `{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`,
		"wide":           `{"type":"array","minItems":1000000000,"items":{"type":"array","minItems":1000000000,"items":{"type":"string","minLength":1000000000}}}`,
		"to itself":      `{"$ref":"#"}`,
		"no schema":      `"x"`,
		"nothing":        ``,
	} {
		got := instanceOf(json.RawMessage(schema))
		if !json.Valid([]byte(got)) || len(got) > 32<<20 {
			t.Errorf("%s: %d bytes: %.100s", name, len(got), got)
		}
	}
	if got := instanceOf(json.RawMessage(`{"$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["next"]}},"$ref":"#/$defs/n"}`)); !strings.HasSuffix(strings.TrimRight(got, "}"), "null") {
		t.Errorf("a list: got %s, want it to end with null", got)
	}
}
