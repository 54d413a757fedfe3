package demoengine

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSchemasThatOtherEnginesRefuse(t *testing.T) {
	deep := strings.Repeat(`{"items":`, maxNested+2) + `{}` + strings.Repeat(`}`, maxNested+2)
	for schema, want := range map[string]string{
		``:     "",
		`null`: "",
		`{}`:   "",
		`{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"]}`: "",
		`{"type":"array","items":[{"type":"string"}],"additionalProperties":false}`:        "",
		`{"enum":["type"],"properties":{"type":{"type":"integer"}}}`:                       "",
		`{"$defs":{"a":{"type":"number"}},"$ref":"#/$defs/a"}`:                             "",
		`{"properties":{"a":true}}`:                                                        "",
		`[]`:                                                                               "a schema is an object",
		`"object"`:                                                                         "a schema is an object",
		`{"type":"strin"}`:                                                                 "'strin' is not a type",
		`{"type":7}`:                                                                       "'7' is not a type",
		`{"type":[]}`:                                                                      "names none",
		`{"type":["string","text"]}`:                                                       "'text' is not a type",
		`{"properties":{"a":{"items":{"type":"str"}}}}`:                                    "at #/properties/a/items: 'str'",
		`{"anyOf":[{"type":"string"},{"type":"dict"}]}`:                                    "at #/anyOf/1: 'dict'",
		`{"$defs":{"a":{"type":"Object"}}}`:                                                "at #/$defs/a: 'Object'",
		`{"properties":{"a":"string"}}`:                                                    "a schema is an object, true or false",
		deep:                                                                               "at most 128 levels",
	} {
		if got := wrongSchema(json.RawMessage(schema)); got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%.80s: got %q, want %q", schema, got, want)
		}
	}
}

func TestRolesThatOtherEnginesRefuse(t *testing.T) {
	for role, ok := range map[string]bool{"user": true, "assistant": true, "": false, "User": false, "owner": false, "user ": false} {
		if got := wrongRole(role, chatRoles); (got == "") != ok {
			t.Errorf("%q: got %q", role, got)
		}
	}
}
