package authmin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of a list of models, so that a keyring line stays within its limit and a look-up
// within a few microseconds.
const (
	MaxModelPatterns = 64
	MaxModelName     = 256     // bytes of a pattern, and of the name in a request
	maxModelList     = 1 << 10 // bytes of all patterns, with their commas
)

// AnyModel is the list of an identity that may use every model.
const AnyModel = "*"

// latestTag is what Ollama reads for a missing tag.
const latestTag = ":latest"

// Models is an allow list of models: what it does not name is refused. The zero value
// allows none. A nil *Models is no list, and allows every model. It is immutable.
type Models struct {
	patterns []string
	text     string
}

// ParseModels reads `PATTERN[,PATTERN…]`: names of models as clients send them, in
// printable ASCII without commas and spaces. A * stands for any characters, `/` and `:`
// included. The list `*` allows every model, and is returned as nil.
func ParseModels(list string) (*Models, error) {
	if len(list) > maxModelList {
		return nil, fmt.Errorf("reading models: the list is longer than %d bytes", maxModelList)
	}
	if list == AnyModel {
		return nil, nil
	}
	patterns := strings.Split(list, ",")
	if len(patterns) > MaxModelPatterns {
		return nil, fmt.Errorf("reading models: more than %d", MaxModelPatterns)
	}
	for i, pattern := range patterns {
		switch {
		case !isModelPattern(pattern):
			return nil, fmt.Errorf("reading models: number %d is not a name or pattern; want 1 to %d printable ASCII characters without space, comma and quote", i+1, MaxModelName)
		case strings.Trim(pattern, AnyModel) == "":
			return nil, errors.New("reading models: * allows every model; write it alone, or leave it out")
		case slices.Contains(patterns[:i], pattern):
			return nil, fmt.Errorf("reading models: number %d occurs twice", i+1)
		}
	}
	text := strings.Clone(list) // not the whole line that it was read from
	return &Models{patterns: strings.Split(text, ","), text: text}, nil
}

// isModelPattern accepts what can stand in a keyring line, in a header field and, quoted,
// in an answer.
func isModelPattern(text string) bool {
	if text == "" || len(text) > MaxModelName {
		return false
	}
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' || c == '"' })
}

// String returns the list as [ParseModels] reads it. It is empty for a list that allows
// no model.
func (m *Models) String() string {
	if m == nil {
		return AnyModel
	}
	return m.text
}

// Patterns returns the patterns; none if there is no list.
func (m *Models) Patterns() []string {
	if m == nil {
		return nil
	}
	return slices.Clone(m.patterns)
}

// Allow reports whether a model may be used. A name without a tag and the same with
// `:latest` are one, as for Ollama.
func (m *Models) Allow(name string) bool {
	if m == nil {
		return true
	}
	if name == "" || len(name) > MaxModelName {
		return false
	}
	if isLocation(name) {
		return slices.Contains(m.patterns, name)
	}
	other := otherTag(name)
	return slices.ContainsFunc(m.patterns, func(pattern string) bool {
		return matchModel(pattern, name) || other != "" && matchModel(pattern, other)
	})
}

// Covers reports whether every model of another list is in this one, as far as their
// patterns tell: each pattern of the other has to be matched by one of this list.
func (m *Models) Covers(other *Models) bool {
	if m == nil {
		return true
	}
	return other != nil && !slices.ContainsFunc(other.patterns, func(p string) bool {
		return !slices.ContainsFunc(m.patterns, func(pattern string) bool {
			return pattern == p || !isLocation(p) && matchModel(pattern, p)
		})
	})
}

// isLocation reports whether an engine may read another name out of this one, so that no *
// stands for it: Ollama drops what is before ://, and resolvers of adapters join a name to
// a directory.
func isLocation(name string) bool {
	if strings.Contains(name, "//") || strings.Contains(name, `\`) {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// otherTag returns the other spelling of a name that Ollama takes for the same: without
// the tag latest, or with it. It is empty for a name with another tag.
func otherTag(name string) string {
	if short, ok := strings.CutSuffix(name, latestTag); ok {
		return short
	}
	if strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		return ""
	}
	return name + latestTag
}

// matchModel matches a name with a pattern. Only the last * is tried at more than one
// place, which is enough: what stands before it has matched as early as it can.
func matchModel(pattern, name string) bool {
	star, from := -1, 0 // the last *, and where what follows it was tried
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p, n = p+1, n+1
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
