package demoengine

import (
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number is one within the schema's bounds: the one nearest to 1. whole is 1 for an
// integer.
func number(s map[string]any, whole float64) float64 {
	low, high := bound(s, "minimum", math.Inf(-1)), bound(s, "maximum", math.Inf(1))
	step := bound(s, "multipleOf", whole)
	if above := bound(s, "exclusiveMinimum", math.Inf(-1)); above >= low {
		low = next(above, step, 1)
	}
	if below := bound(s, "exclusiveMaximum", math.Inf(1)); below <= high {
		high = next(below, step, -1)
	}
	n := min(max(1, low), high)
	if step > 0 {
		if n = math.Ceil(n/step) * step; n > high {
			n = math.Floor(high/step) * step
		}
	}
	return n
}

// next is a number beyond an exclusive bound.
func next(from, step, direction float64) float64 {
	switch {
	case math.IsInf(from, 0):
		return from
	case step > 0:
		return from + direction*step
	}
	return from + direction*max(1e-6, math.Abs(from)*1e-6)
}

func formatNumber(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

// textFormats is a text for each format that clients check.
var textFormats = map[string]string{
	"date-time": "2025-01-01T00:00:00Z", "date": "2025-01-01", "time": "00:00:00Z", "duration": "PT1S",
	"email": "demo@example.com", "hostname": "demo.example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
	"uri": "https://demo.example.com/", "uuid": "00000000-0000-4000-8000-000000000000",
}

// schemaText is a string of the schema's form and length.
func schemaText(s map[string]any) string {
	if pattern, ok := s["pattern"].(string); ok {
		if found, ok := matching(pattern, s); ok {
			return found
		}
	}
	if format, ok := s["format"].(string); ok && textFormats[format] != "" {
		return textFormats[format]
	}
	return fitted("[demo]", s)
}

// fitted makes a text as long as the schema wants.
func fitted(text string, s map[string]any) string {
	least, most := bound(s, "minLength", 0), bound(s, "maxLength", math.Inf(1))
	if n := int(min(least, maxCounted)) - utf8.RuneCountInString(text); n > 0 {
		text += strings.Repeat(".", n)
	}
	if n := int(min(most, maxCounted)); utf8.RuneCountInString(text) > n {
		text = string([]rune(text)[:max(0, n)])
	}
	return text
}

// matching is a text that a pattern matches.
func matching(pattern string, s map[string]any) (string, bool) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return "", false
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var out strings.Builder
	shortest(parsed, &out)
	for _, text := range []string{fitted("[demo]", s), "demo", fitted(out.String(), s), out.String()} {
		if compiled.MatchString(text) && fitted(text, s) == text {
			return text, true
		}
	}
	return "", false
}

// shortest writes a short text that an expression matches.
func shortest(e *syntax.Regexp, out *strings.Builder) {
	if out.Len() > maxCounted {
		return
	}
	switch e.Op {
	case syntax.OpLiteral:
		out.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		out.WriteRune(ofClass(e.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out.WriteByte('d')
	case syntax.OpPlus, syntax.OpCapture, syntax.OpAlternate:
		shortest(e.Sub[0], out)
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			shortest(sub, out)
		}
	case syntax.OpRepeat:
		for range e.Min {
			shortest(e.Sub[0], out)
		}
	}
}

// ofClass is a rune of a class, if possible one that is easy to read.
func ofClass(ranges []rune) rune {
	for _, want := range "da0A_-." {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= want && want <= ranges[i+1] {
				return want
			}
		}
	}
	if len(ranges) == 0 {
		return 'd'
	}
	return ranges[0]
}
