package authmin

import (
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// targets draws request targets that are rich in what makes paths ambiguous.
var targets = rapid.Custom(func(t *rapid.T) string {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"/", "/", "/", ".", "..", "%2e", "%2E", "%2f", "%2F", "%25", "%5c", "%3b", "%00", "%c0%ae",
			"\\", ";", "//", "/./", "/../", "%", "%2", "%C3%A9", "%c2%85", "?", "#", "a", "b", "%61", " ", "é", "*", "+", ":", "@", "%20"}),
		rapid.StringMatching(`[!-~]`),
		rapid.StringMatching(`%[0-9A-Fa-f]{2}`),
	)
	return "/" + strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), "")
})

func TestAcceptedTargets(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		target := targets.Draw(rt, "target")
		path, err := CheckTarget(target)
		if err != nil {
			return
		}
		accepted++
		if why := ambiguity(target, path); why != "" {
			rt.Fatalf("%q was accepted as %q: %s", target, path, why)
		}
	})
	if accepted == 0 {
		t.Error("no drawn target was accepted: the property says nothing")
	}
}

func FuzzCheckTarget(f *testing.F) {
	for _, target := range []string{"/", "/v1/models/a%2Fb?x", "/a/../b", "/%2e", "//", "/a%c3%a9", "/x#y", "/a?b#c", "*"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, err := CheckTarget(target)
		if err != nil {
			return
		}
		if why := ambiguity(target, path); why != "" {
			t.Errorf("%q was accepted as %q: %s", target, path, why)
		}
		if again, err := CheckTarget(target); err != nil || again != path {
			t.Errorf("%q: judged differently the second time", target)
		}
	})
}

// ambiguity judges an accepted target with another parser than ours, net/url,
// which is what sends it to the upstream. It returns "" when all is well.
func ambiguity(target, path string) string {
	raw, query, _ := strings.Cut(target, "?")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return "net/url refuses it: " + err.Error()
	}
	decoded, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return "it cannot be decoded"
	case u.EscapedPath() != raw:
		return "the upstream would get " + u.EscapedPath()
	case u.RawQuery != query || u.Fragment != "" || u.Host != "":
		return "the upstream would get another query or host"
	case u.Path != decoded || strings.ReplaceAll(path, encodedSlash, "/") != decoded:
		return "net/url decodes it to " + u.Path
	case strings.Count(path, encodedSlash) != strings.Count(strings.ToUpper(raw), encodedSlash):
		return "an encoded slash was lost or made up"
	case strings.Contains(decoded, "//"):
		return "it holds an empty segment"
	case strings.ContainsAny(decoded, "\\;%"):
		return "it holds a delimiter"
	case strings.ContainsFunc(decoded, unicode.IsControl):
		return "it holds a control character"
	case !utf8.ValidString(decoded):
		return "it is not UTF-8"
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return "it holds a dot segment"
		}
	}
	if again, err := url.PathUnescape(decoded); err != nil || again != decoded {
		return "decoding it twice changes it"
	}
	return ""
}
