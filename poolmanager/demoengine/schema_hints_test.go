package demoengine

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAnInstanceFollowsTheHintsOfADescription(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"string","description":"{enum: [\"x\",\"y\"]}"}`:                                                                   `"x"`,
		`{"type":"string","description":"A kind.\n\n{enum: [\"x, a: 1}\"], $schema: \"https://a\"}"}`:                               `"x, a: 1}"`,
		`{"type":"integer","description":"{minimum: 7, maximum: 9}"}`:                                                               `7`,
		`{"type":"array","items":{"type":"boolean"},"description":"Two.\n\n{minItems: 2}"}`:                                         `[true,true]`,
		`{"type":"object","properties":{"a":{"type":"string","description":"{const: \"b\"}"}},"required":["a"],"description":"{}"}`: `{"a":"b"}`,
		`{"type":"integer","minimum":3,"description":"{minimum: 7}"}`:                                                               `3`,
		`{"type":"string","description":"{type: \"integer\"}"}`:                                                                     `"[demo]"`,
		`{"type":"string","description":"Say {enum: [\"x\"]}"}`:                                                                     `"[demo]"`,
		`{"type":"string","description":"{enum: [\"x\"]} and more"}`:                                                                `"[demo]"`,
		`{"type":"string","description":"{enum: [\"x\""}`:                                                                           `"[demo]"`,
		`{"type":"string","description":"{"}`:                                                                                       `"[demo]"`,
	} {
		if got := instanceOf(json.RawMessage(schema)); got != want {
			t.Errorf("%s: got %s, want %s", schema, got, want)
		}
	}
	long := `{"type":"string","description":"` + strings.Repeat("x", maxHinted) + `\n\n{enum: [\"x\"]}"}`
	if got := instanceOf(json.RawMessage(long)); got != `"[demo]"` {
		t.Errorf("a long description: got %s", got)
	}
}
