package unicodetable_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/llorch/gateway/authmin"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// reference is authmin's key, made with the library.
func reference(text string) string {
	for {
		next := strings.Map(unicode.ToUpper, norm.NFKC.String(text))
		next = strings.Map(unicode.ToLower, norm.NFKC.String(next))
		if next = strings.ReplaceAll(next, "ß", "ss"); next == text {
			return text
		}
		text = next
	}
}

// hostile are the delimiters that a key may not add.
const hostile = `/.%;\`

func checkKey(t interface{ Errorf(string, ...any) }, path string) {
	want := reference(strings.TrimSuffix(path, "/"))
	added := false
	for _, delimiter := range hostile {
		added = added || strings.Count(want, string(delimiter)) > strings.Count(strings.TrimSuffix(path, "/"), string(delimiter))
	}
	if key, ok := authmin.PathKey(path); ok == added || ok && key != want {
		t.Errorf("%+q has the key %+q, %v, want %+q, %v", path, key, ok, want, !added)
	}
}

func TestKeyOfEveryCharacter(t *testing.T) {
	for r := rune(' '); r <= utf8.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z) {
			continue
		}
		checkKey(t, "/a"+string(r)+"b")
		checkKey(t, "/"+string(r)+"\u0301\u0323")
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if keyOf("/"+string(r)) != keyOf("/"+string(other)) {
				t.Errorf("%+q and %+q are equal when case is ignored, and their keys are not", r, other)
			}
		}
	}
}

func keyOf(path string) string {
	key, _ := authmin.PathKey(path)
	return key
}

func TestKeyOfRandomText(t *testing.T) {
	part := rapid.OneOf(
		rapid.StringOfN(rapid.Rune(), 1, 4, -1),
		rapid.StringOfN(rapid.RuneFrom(nil, unicode.Mn, unicode.Mc), 1, 6, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("aAeEiIıİoOßẞſσςͅᾳΐ"), unicode.Hangul), 1, 4, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("a"), &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x1100, Hi: 0x11ff, Stride: 1}}}), 1, 4, -1),
	)
	rapid.Check(t, func(rt *rapid.T) {
		checkKey(rt, "/"+strings.Join(rapid.SliceOfN(part, 1, 5).Draw(rt, "parts"), ""))
	})
}
