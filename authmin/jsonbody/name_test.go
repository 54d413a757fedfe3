package jsonbody

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestFoldRune wants runes to be one if any usual way to ignore case makes them so.
func TestFoldRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		folded := foldRune(r)
		for way, other := range map[string]rune{
			"SimpleFold": unicode.SimpleFold(r), "ToLower": unicode.ToLower(r), "ToUpper": unicode.ToUpper(r), "ToTitle": unicode.ToTitle(r), "foldRune": folded,
		} {
			if foldRune(other) != folded {
				t.Errorf("%U folds to %U, but its %s %U to %U", r, folded, way, other, foldRune(other))
			}
		}
		if folded != r && !strings.EqualFold(string(r), string(folded)) && r != '\u0130' && r != '\u0131' {
			t.Errorf("%U folds to %U, which is another", r, folded)
		}
	}
}

func TestFoldsTo(t *testing.T) {
	cases := []struct {
		name, watch string
		want        bool
	}{
		{"model", "model", true}, {"MoDeL", "model", true}, {"mode", "model", false}, {"models", "model", false}, {"", "model", false}, {"x", "", false}, {"", "", true},
		{"\u212a", "k", true}, {"k", "\u212a", true}, {"ſ", "S", true}, {"ÄÖ", "äö", true}, {"Ä", "ä\u0308", false}, {"ß", "ss", false}, {"[", "{", false}, {"@", "`", false},
	}
	for _, c := range cases {
		if got := foldsTo([]byte(c.name), fold(c.watch)); got != c.want {
			t.Errorf("%q folds to %q: %v, want %v", c.name, c.watch, got, c.want)
		}
	}
}

// TestLongestSpelling has a name of many more bytes than the watched one.
func TestLongestSpelling(t *testing.T) {
	for document, want := range map[string]string{
		`{"` + strings.Repeat("\u212a", 40) + `":1}`:    "ambiguous " + strings.Repeat("k", 40) + "@1",
		`{"` + strings.Repeat(`\u212A`, 40) + `":1}`:    "ambiguous " + strings.Repeat("k", 40) + "@1",
		`{"` + strings.Repeat("k", 40) + `kkkkkk":1}`:   "",
		`{"` + strings.Repeat("\u212a", 1000) + `":1}`:  "",
		`{"` + strings.Repeat("k", 39) + "\u212a" + `"`: "ambiguous " + strings.Repeat("k", 40) + "@1",
	} {
		o := Options{Watch: []string{strings.Repeat("k", 40), "x"}}
		got := scan(t, o, document)
		if got.Err != want {
			t.Errorf("%s: %q, want %q", document, got.Err, want)
		}
		everySplit(t, o, document, got)
	}
}

// TestCutNameIsAnother has names whose start, as far as it is kept, is a watched
// one. The escapes keep them from being judged where they lie.
func TestCutNameIsAnother(t *testing.T) {
	for watch, document := range map[string]string{
		"𐐀": `{"𐐀":1,"𐐀𐐀\u0061":2,"𐐨𐐀\u0061":3}`,
		"":  `{"":1,"\u0061":2,"\u0061":3}`,
		"k": `{"k":1,"\u006b\u212a":2,"\u006bkkkkk":3}`,
	} {
		o := Options{Watch: []string{watch}}
		got := scan(t, o, document)
		if got.Err != "" || got.Members[watch] != "1" {
			t.Errorf("%s: %q = %s, error %q, want 1", document, watch, got.Members[watch], got.Err)
		}
		everySplit(t, o, document, got)
	}
}
