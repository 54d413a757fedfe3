package backend

import (
	"fmt"
	"regexp"
	"strings"
)

// wrongType is how package yaml reports a value of another type: a tag, the value where it
// is a scalar, and the Go type.
var wrongType = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (\\S+)$")

// kinds are the words for tags of YAML.
var kinds = map[string]string{
	"seq": "a list", "map": "a mapping", "str": "text", "int": "a number", "float": "a number",
	"bool": "true or false", "timestamp": "a date",
}

// wantedKind is the word for a Go type. Types with a name, such as choices, are texts.
func wantedKind(goType string) string {
	for _, k := range []struct{ prefix, word string }{
		{"time.Duration", "a time such as 90s"}, {"int", "a whole number"}, {"uint", "a whole number"},
		{"float", "a number"}, {"bool", "true or false"}, {"[]", "a list"}, {"map[", "a mapping"},
	} {
		if strings.HasPrefix(goType, k.prefix) {
			return k.word
		}
	}
	return "text"
}

// withoutTypes replaces package yaml's words, which name tags and Go types, by those of the
// configuration. Other errors stay as they are.
func withoutTypes(text string) string {
	m := wrongType.FindStringSubmatch(text)
	if m == nil || kinds[m[1]] == "" {
		return text
	}
	if m[2] == "" {
		return fmt.Sprintf("want %s, got %s", wantedKind(m[3]), kinds[m[1]])
	}
	return fmt.Sprintf("want %s, got %s %q", wantedKind(m[3]), kinds[m[1]], m[2])
}
