package authmin

import (
	"path"
	"strings"
	"testing"
)

func TestModelsAllow(t *testing.T) {
	for _, c := range []struct {
		list, name string
		want       bool
	}{
		{"tiny", "tiny", true},
		{"tiny", "Tiny", false},
		{"tiny", "tiny2", false},
		{"tiny", "a/tiny", false},
		{"tiny", "", false},
		{"tiny,big", "big", true},
		{"tiny", "tiny:latest", true},
		{"tiny:latest", "tiny", true},
		{"tiny:7b", "tiny", false},
		{"tiny", "tiny:7b", false},
		{"tiny:7b", "tiny:7b:latest", true}, // no name of Ollama's
		{"host:5000/tiny", "host:5000/tiny:latest", true},
		{"host:5000/tiny:latest", "host:5000/tiny", true},
		{"team-*", "team-a/b:c", true},
		{"team-*", "team-", true},
		{"team-*", "team", false},
		{"*-chat", "a-chat-chat", true},
		{"*-chat", "a-chatty", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "acb", false},
		{"*/*", "a/b", true},
		{"*/*", "ab", false},
		{"a**b", "ab", true},
		{"x?", "xy", false},
		{"[a]", "a", false},
		{"tiny*", "tiny" + strings.Repeat("x", MaxModelName), false},
		{"*", "anything", true},
		{"team-*", "team-x://registry.ollama.ai/library/big", false},
		{"team/*", "team/x://big", false},
		{"team/*", "team/../big", false},
		{"team/*", "team//big", false},
		{"team/*", `team/..\big`, false},
		{"*/big", "./big", false},
		{"team/../big", "team/../big", true},
		{"/models/*", "/models/x", true},
	} {
		models, err := ParseModels(c.list)
		if err != nil {
			t.Fatal(err)
		}
		if got := models.Allow(c.name); got != c.want {
			t.Errorf("%s allows %q: got %t, want %t", c.list, c.name, got, c.want)
		}
	}
}

func TestNoModelsAllowNothingAndNoListEverything(t *testing.T) {
	if new(Models).Allow("tiny") || new(Models).String() != "" {
		t.Error("the zero list allows a model, or is not empty as text")
	}
	var none *Models
	if !none.Allow("tiny") || none.String() != AnyModel || none.Patterns() != nil {
		t.Error("no list does not allow every model, or is not * as text")
	}
}

func TestAListCoversAnother(t *testing.T) {
	for name, c := range map[string]struct {
		list, other string
		want        bool
	}{
		"the same":           {"a,b-*", "b-*,a", true},
		"more":               {"a,b", "a", true},
		"less":               {"a", "a,b", false},
		"a wider pattern":    {"team-*", "team-a*,team-b", true},
		"a narrower pattern": {"team-a*", "team-*", false},
		"a location":         {"team-*", "team-a//b", false},
		"the same location":  {"team-a//b", "team-a//b", true},
		"every model":        {"*", "a", true},
		"of every model":     {"a*", "*", false},
	} {
		list, err := ParseModels(c.list)
		if err != nil {
			t.Fatal(err)
		}
		other, err := ParseModels(c.other)
		if err != nil {
			t.Fatal(err)
		}
		if got := list.Covers(other); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestParseModelsRefuses(t *testing.T) {
	long := strings.Repeat("m", MaxModelName)
	for name, c := range map[string]struct{ list, want string }{
		"nothing":           {"", "number 1 is not a name"},
		"an empty name":     {"a,,b", "number 2 is not a name"},
		"a space":           {"a b", "number 1 is not a name"},
		"a quote":           {`a"`, "number 1 is not a name"},
		"a control":         {"a\x7f", "number 1 is not a name"},
		"not ASCII":         {"modèle", "number 1 is not a name"},
		"a long name":       {long + "m", "number 1 is not a name"},
		"a name twice":      {"a,b,a", "number 3 occurs twice"},
		"* and a name":      {"*,a", "write it alone"},
		"** alone":          {"**", "write it alone"},
		"too many":          {strings.Repeat("a,", MaxModelPatterns) + "a", "more than 64"},
		"a list too long":   {strings.Repeat(long+",", 4) + "a", "longer than 1024 bytes"},
		"a negated pattern": {"a, !b", "number 2 is not a name"},
	} {
		if m, err := ParseModels(c.list); err == nil || m != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// A list that is read is written as it was, and allows its own names.
func FuzzModels(f *testing.F) {
	for _, seed := range []struct{ list, name string }{
		{"tiny", "tiny:latest"}, {"a*b*c", "abc"}, {"*", "x"}, {"a,b", "b"}, {"*a*a*a*b", strings.Repeat("a", 200)},
		{"org/*", "org/x"}, {"a**", "a"}, {"", ""}, {"ａ", "a"}, {"[a-z]", "b"}, {`a\*`, "a*"},
	} {
		f.Add(seed.list, seed.name)
	}
	f.Fuzz(func(t *testing.T, list, name string) {
		models, err := ParseModels(list)
		if err != nil {
			return
		}
		if models.String() != list {
			t.Fatalf("written as %q, read from %q", models, list)
		}
		for _, pattern := range models.Patterns() {
			if !models.Allow(pattern) {
				t.Fatalf("%q does not allow its own %q", list, pattern)
			}
			if strings.Contains(name, "\x00") { // what slowMatch has for a slash
				continue
			}
			if got, want := matchModel(pattern, name), slowMatch(pattern, name); got != want {
				t.Fatalf("%q and %q: got %t, want %t", pattern, name, got, want)
			}
		}
	})
}

// slowMatch is matchModel by the standard library's patterns, which know more characters
// and stop at slashes.
func slowMatch(pattern, name string) bool {
	plain := strings.NewReplacer("/", "\x00", "?", `\?`, "[", `\[`, `\`, `\\`)
	ok, _ := path.Match(plain.Replace(pattern), strings.ReplaceAll(name, "/", "\x00"))
	return ok
}
