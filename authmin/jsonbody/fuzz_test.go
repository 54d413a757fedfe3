package jsonbody

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzScanner compares a Scanner with encoding/json: it must accept what is
// valid there but for what it refuses in addition, and find the same members.
func FuzzScanner(f *testing.F) {
	for _, document := range []string{
		string(event), `{"model":"a","stream_options":{"include_usage":true},"n":1.5e3,"kind":null}`, `{"a":[{"b":["x\ud83d\ude00\n"]}],"usage":{"total":7}}`,
		`{"\u212aind":1}`, `{"k\u0131nd":1}`, `{"model":1,"MODEL":2}`, `{"a":"\ud800"}`, `{"a":"\u0000"}`, "{\"a\":\"\xff\"}", `[{}]`, `{"a":01}`, `{"":""} {`,
		`{"a":` + strings.Repeat("[", 130) + strings.Repeat("]", 130) + `}`,
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got := scan(t, Options{Watch: watched}, document)
		if want := refuses(document); want != (got.Err != "") {
			t.Fatalf("%q: error %q, want refused = %v", document, got.Err, want)
		}
		if len(document) < 200 { // longer ones take too long for a fuzz target
			everySplit(t, Options{Watch: watched}, document, got)
		}
		if got.Err != "" {
			return
		}
		if got.Members == nil {
			got.Members = map[string]string{}
		}
		want := result{Members: map[string]string{}}
		reference(t, &want, json.RawMessage(document), nil, true)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-encoding/json +got):\n%s", document, diff)
		}
	})
}

var (
	escapes    = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	surrogates = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`)
)

// refuses says whether the document must be refused.
func refuses(document string) bool {
	if !json.Valid([]byte(document)) || !utf8.ValidString(document) || document[strings.IndexFunc(document, notSpace)] != '{' {
		return true
	}
	// With escaped backslashes out of the way, what is left of \u is one.
	text := strings.ReplaceAll(document, `\\`, `__`)
	text = surrogates.ReplaceAllString(text, "__")
	for _, escape := range escapes.FindAllString(text, -1) {
		if code, err := strconv.ParseUint(escape[2:], 16, 32); escape[1] == 'u' && err == nil && 0xD800 <= code && code < 0xE000 {
			return true
		}
	}
	return depth([]byte(document)) > DefaultMaxDepth || ambiguous([]byte(document), "") || namesNUL([]byte(document), nil, true)
}

// namesNUL says whether a name, or the text of a watched member, has a NUL. direct is
// false within arrays.
func namesNUL(value json.RawMessage, path []string, direct bool) (bad bool) {
	switch value[bytes.IndexFunc(value, notSpace)] {
	case '{':
		object(value, func(name string, value json.RawMessage) {
			bad = bad || strings.Contains(name, "\x00") || namesNUL(value, append(path[:len(path):len(path)], name), direct)
		})
	case '[':
		var values []json.RawMessage
		_ = json.Unmarshal(value, &values) // it is valid
		for _, value := range values {
			bad = bad || namesNUL(value, path, false)
		}
	case '"':
		var text string
		_ = json.Unmarshal(value, &text)
		isWatched := direct && slices.Contains(watched, strings.Join(path, ".")) && !slices.ContainsFunc(path, func(name string) bool { return strings.Contains(name, ".") })
		return isWatched && strings.Contains(text, "\x00")
	}
	return bad
}

func notSpace(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) }

// depth returns how deep a valid document nests.
func depth(document []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(document))
	for now := 0; ; {
		switch token, err := d.Token(); {
		case err != nil:
			return deepest
		case token == json.Delim('{') || token == json.Delim('['):
			now++
			deepest = max(deepest, now)
		case token == json.Delim('}') || token == json.Delim(']'):
			now--
		}
	}
}

// object calls f with the members of a valid object, or not at all.
func object(document []byte, f func(name string, value json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(document))
	if token, _ := d.Token(); token != json.Delim('{') {
		return
	}
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		_ = d.Decode(&value)
		f(name.(string), value)
	}
}

// dotless are the letters that other readers take for an i.
var dotless = strings.NewReplacer("\u0130", "i", "\u0131", "i")

// ambiguous says whether a name on a watched path occurs twice or in another
// spelling, with the object's own path in front.
func ambiguous(document []byte, prefix string) (bad bool) {
	seen := map[string]bool{}
	object(document, func(name string, value json.RawMessage) {
		for _, path := range watched {
			rest, ok := strings.CutPrefix(path, prefix)
			want, _, _ := strings.Cut(rest, ".")
			if !ok || !strings.EqualFold(dotless.Replace(name), want) {
				continue
			}
			bad = bad || name != want || seen[want] || ambiguous(value, prefix+want+".")
			defer func() { seen[want] = true }()
		}
	})
	return bad
}

// reference collects members and strings as encoding/json sees them.
func reference(t *testing.T, r *result, value json.RawMessage, path []string, direct bool) {
	name := strings.Join(path, ".")
	for _, w := range watched {
		if direct && len(path) > 0 && w == name && !strings.Contains(path[len(path)-1], ".") {
			r.Members[w] = string(value)
		}
	}
	switch value[bytes.IndexFunc(value, notSpace)] {
	case '{':
		object(value, func(name string, value json.RawMessage) {
			reference(t, r, value, append(path[:len(path):len(path)], name), direct)
		})
	case '[':
		var values []json.RawMessage
		if err := json.Unmarshal(value, &values); err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			reference(t, r, value, path, false)
		}
	case '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			t.Fatal(err)
		}
		for i, name := range path {
			path[i] = head(name)
		}
		r.Strings = append(r.Strings, strings.Join(path, ".")+"="+head(text))
	}
}

// head returns at most 256 bytes of whole characters.
func head(text string) string {
	for i, r := range text {
		if i+utf8.RuneLen(r) > maxHead {
			return text[:i]
		}
	}
	return text
}
