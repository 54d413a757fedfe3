package differential_test

import (
	"encoding/json"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/tidwall/gjson"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// maxDocument bounds a document: longer ones find nothing that short ones do not.
const maxDocument = 4 << 10

// A reading is what a parser takes for the member model; refused when it reads nothing
// at all.
type reading struct {
	text    string
	there   bool
	refused bool
}

// parsers read the member as services do. They were chosen for their differences:
// encoding/json takes the last of two and ignores case where it fills a struct, gjson
// takes the first, scans without validating and is in many proxies, and
// go-json-experiment is the strict reader that becomes encoding/json/v2.
var parsers = map[string]func(document []byte) reading{
	"encoding/json, a map": func(document []byte) reading {
		var members map[string]any
		if json.Unmarshal(document, &members) != nil {
			return reading{refused: true}
		}
		return textOf(members["model"])
	},
	"encoding/json, a struct": func(document []byte) reading {
		var members struct{ Model any }
		if json.Unmarshal(document, &members) != nil {
			return reading{refused: true}
		}
		return textOf(members.Model)
	},
	"gjson": func(document []byte) reading {
		member := gjson.GetBytes(document, "model")
		return reading{text: member.String(), there: member.Type == gjson.String}
	},
	"go-json-experiment, a map": func(document []byte) reading {
		var members map[string]any
		if jsonv2.Unmarshal(document, &members) != nil {
			return reading{refused: true}
		}
		return textOf(members["model"])
	},
	"go-json-experiment, case ignored": func(document []byte) reading {
		var members struct{ Model any }
		if jsonv2.Unmarshal(document, &members, jsonv2.MatchCaseInsensitiveNames(true)) != nil {
			return reading{refused: true}
		}
		return textOf(members.Model)
	},
}

func textOf(value any) reading {
	text, there := value.(string)
	return reading{text: text, there: there}
}

// modelSeeds are documents that parsers are known to read in several ways.
var modelSeeds = []string{
	`{"model":"tiny"}`, `{"model":"a","model":"b"}`, `{"model":"a","Model":"b"}`, `{"MODEL":"a"}`, `{"mod\u0065l":"a"}`, `{"model":"\u0061\/b"}`,
	`{"x":{"model":"a"},"model":"b"}`, `{"model":null}`, `{"model":["a"]}`, `{"model":{"model":"a"}}`, `{"model":"a",}`, `{"model":"a"}{"model":"b"}`,
	`{"model":"a"} x`, "\ufeff" + `{"model":"a"}`, `{"model":"\ud800"}`, "{\"model\":\"\xff\"}", `{"model":"a\u0000b"}`, `{"\u0000model":"a"}`, `[{"model":"a"}]`,
	`{"a.model":"x","model":"y"}`, `{"model" :	"a" }`, `{"model":"a","x":01}`, `{"model":"\x61"}`, `{model:"a"}`, `{'model':'a'}`, `{"model":"a"/*,"model":"b"*/}`,
	`{"x":"\"model\":\"b\"","model":"a"}`, `{"x":"\\","model":"a"}`, `{"":{"model":"b"},"model":"a"}`, `{"mode\u017f":"a","mode\u006c":"b"}`,
}

// FuzzModelIsReadAlike: what the scanner accepts, no parser reads otherwise. A parser may
// refuse more than the scanner does: then the service answers with an error.
func FuzzModelIsReadAlike(f *testing.F) {
	for _, document := range modelSeeds {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		if len(document) > maxDocument {
			return
		}
		scanner := jsonbody.New(jsonbody.Options{Watch: []string{"model"}})
		if _, err := scanner.Write([]byte(document)); err != nil || scanner.Close() != nil {
			return
		}
		want := reading{}
		if member, ok := scanner.Member("model"); ok && member.Kind == jsonbody.String {
			if want.text, want.there = member.Text(); !want.there {
				return // too long: the gateway refuses it
			}
		}
		for name, parse := range parsers {
			if got := parse([]byte(document)); !got.refused && (got.there != want.there || got.there && got.text != want.text) {
				t.Errorf("%q: %s reads %+v, the gateway %+v", document, name, got, want)
			}
		}
	})
}

// TestParsersDiffer: the comparison says something, since the parsers do not agree on
// documents that the gateway refuses.
func TestParsersDiffer(t *testing.T) {
	const twice = `{"model":"first","Model":"second","model":"third"}`
	texts := map[string]bool{}
	for _, parse := range parsers {
		if got := parse([]byte(twice)); !got.refused {
			texts[got.text] = true
		}
	}
	if len(texts) < 2 {
		t.Errorf("all parsers read %v in %s", texts, twice)
	}
	scanner := jsonbody.New(jsonbody.Options{Watch: []string{"model"}})
	if _, err := scanner.Write([]byte(twice)); err == nil && scanner.Close() == nil {
		t.Errorf("the gateway accepts %s", twice)
	}
}
