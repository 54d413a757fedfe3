package authmin

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEnsureCorrelationID(t *testing.T) {
	cases := map[string]struct {
		sent []string
		kept bool
	}{
		"letters, digits and dashes": {[]string{"aZ09-x"}, true},
		"one character":              {[]string{"a"}, true},
		"64 characters":              {[]string{strings.Repeat("a", 64)}, true},
		"a UUID":                     {[]string{"0190b6a4-7b1c-7cc8-9d2e-3f4a5b6c7d8e"}, true},
		"none":                       {nil, false},
		"an empty one":               {[]string{""}, false},
		"65 characters":              {[]string{strings.Repeat("a", 65)}, false},
		"two":                        {[]string{"a", "b"}, false},
		"an underscore":              {[]string{"a_b"}, false},
		"a dot":                      {[]string{"a.b"}, false},
		"a space":                    {[]string{"a b"}, false},
		"a line end":                 {[]string{"a\nb"}, false},
		"a quote":                    {[]string{`a"b`}, false},
		"a placeholder":              {[]string{"{env.X}"}, false},
		"a letter beyond ASCII":      {[]string{"é"}, false},
		"a NUL":                      {[]string{"a\x00"}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if c.sent != nil {
				h[HeaderCorrelationID] = c.sent
			}
			got := EnsureCorrelationID(h)
			if kept := len(c.sent) == 1 && got == c.sent[0]; kept != c.kept || !isCorrelationID(got) {
				t.Errorf("got %q, kept %v, want kept %v", got, kept, c.kept)
			}
			if !c.kept && got == EnsureCorrelationID(h) {
				t.Error("the same id was made twice")
			}
		})
	}
}

func TestCorrelationIDProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sent := rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-z0-9-]{1,70}`)).Draw(rt, "id")
		got := EnsureCorrelationID(http.Header{HeaderCorrelationID: {sent}})
		if got == "" || len(got) > 64 || strings.Trim(got, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			rt.Fatalf("%q gives %q", sent, got)
		}
	})
}
