package authmin

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCleanText(t *testing.T) {
	cases := map[string]struct {
		text string
		most int
		want string
	}{
		"ordinary text":          {"curl/8.5.0", 32, "curl/8.5.0"},
		"nothing":                {"", 32, ""},
		"other scripts":          {"модель 文", 64, "модель 文"},
		"a line end":             {"a\r\nfake: 1", 32, "a??fake: 1"},
		"an escape sequence":     {"\x1b[2Jx", 32, "?[2Jx"},
		"a NUL":                  {"a\x00b", 32, "a?b"},
		"a DEL":                  {"a\x7fb", 32, "a?b"},
		"a C1 control":           {"a\u0085b", 32, "a?b"},
		"a line separator":       {"a\u2028b\u2029c", 32, "a?b?c"},
		"a direction mark":       {"a\u202eb\u2066c", 32, "a?b?c"},
		"a zero-width space":     {"a\u200bb\ufeffc", 32, "a?b?c"},
		"a no-break space":       {"a\u00a0b", 32, "a?b"},
		"bytes that are no text": {"\xff\xfe\xc0\xaf", 32, "????"},
		"exactly the bound":      {"12345678", 8, "12345678"},
		"a byte over the bound":  {"123456789", 8, "12345…"},
		"a cut within a letter":  {"1234é6789", 8, "1234?…"},
		"a cut within dirt":      {"\n\n\n\n\n\n\n\n\n", 8, "?????…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := CleanText(c.text, c.most); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCleanTextProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(rt, "text")
		most := rapid.IntRange(3, 40).Draw(rt, "most")
		checkClean(rt.Fatalf, text, most)
	})
}

func FuzzCleanText(f *testing.F) {
	f.Add("a\xc3", 3)
	f.Add(strings.Repeat("é", 30), 32)
	f.Fuzz(func(t *testing.T, text string, most int) {
		checkClean(t.Errorf, text, 3+int(uint(most)%1024))
	})
}

func checkClean(fail func(string, ...any), text string, most int) {
	got := CleanText(text, most)
	switch {
	case len(got) > most:
		fail("%q within %d gives %d bytes", text, most, len(got))
	case !utf8.ValidString(got):
		fail("%q gives %q, which is not UTF-8", text, got)
	case strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }):
		fail("%q gives %q, which cannot be printed", text, got)
	case CleanText(got, most) != got:
		fail("%q is not clean when cleaned", got)
	}
}
