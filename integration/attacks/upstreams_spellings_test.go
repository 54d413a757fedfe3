package attacks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// guardedPaths are the resources that the policies of the upstream tests guard.
var guardedPaths = []string{"/admin/pools", "/internal/x", "/ollama/api/pull", "/v2/nodes", "/v1/models"}

// spellingsOfResources are request targets that some server takes for a guarded path, and
// the paths themselves.
func spellingsOfResources() (all []string) {
	for _, path := range guardedPaths {
		first, rest, _ := strings.Cut(path[1:], "/")
		all = append(all, path, "/"+first, "/"+first+"/", path+"/", path+"/.", path+"/..", path+"//",
			strings.ToUpper(path), "/"+strings.ToUpper(first)+"/"+rest, "/"+strings.ToUpper(first[:1])+first[1:]+"/"+rest,
			"/"+first+"/"+strings.ToUpper(rest), "/"+strings.ToUpper(first), strings.ToUpper(path)+"/",
			"/"+escaped(first)+"/"+rest, strings.ToLower("/"+escaped(first)+"/"+escaped(rest)), "/"+doubled(first)+"/"+rest,
			"/"+escaped(strings.ToUpper(first))+"/"+rest, "//"+first+"/"+rest, "///"+first+"//"+rest, "/"+first+"%2f"+rest, "/"+first+"%2F"+rest, "/"+first+"%5c"+rest,
			`/`+first+`\`+rest, `/\`+first+"/"+rest, "/./"+first+"/"+rest, "/public/../"+first+"/"+rest, "/public/%2e%2e/"+first+"/"+rest, "/public/.%2e/"+first+"/"+rest,
			`/public/..\`+first+"/"+rest, "/public/..%5c"+first+"/"+rest, "/public/..%2f"+first+"/"+rest, "/public/..;/"+first+"/"+rest, "/public/%252e%252e/"+first+"/"+rest,
			"/public/..%c0%af"+first+"/"+rest, "/public/%c0%ae%c0%ae/"+first+"/"+rest, "/public/..%ef%bc%8f"+first+"/"+rest,
			"/"+first+";x=1/"+rest, "/"+first+"/"+rest+";x", ";/"+first+"/"+rest, "/;/"+first+"/"+rest, "/"+first+"%3bx/"+rest, "/"+first+"%00/"+rest, path+"%00.png", path+"%20", path+"%09", path+"+", path+".", path+"%2e",
			path+"?x", path+"%3fx", path+"#x", path+"%23x", "/"+first+"?/../public/x", "/"+first+"%0a/"+rest, "/%20"+first+"/"+rest, "/%ef%bb%bf"+first+"/"+rest,
			"/"+wide(first)+"/"+rest, "/"+wide(strings.ToUpper(first))+"/"+rest, "/"+foreign(first)+"/"+rest, "http://x/"+first+"/"+rest, "http://x/"+strings.ToUpper(first)+"/"+rest, "http://x//"+first+"/"+rest)
	}
	// The request line of HTTP/1.1 begins with a slash, a scheme or is *; the rest is the
	// corpus's.
	all = slices.DeleteFunc(all, func(s string) bool { return s[0] == ';' })
	slices.Sort(all)
	return slices.Compact(all)
}

// escaped has each byte as %XX.
func escaped(text string) (out string) {
	for i := range len(text) {
		out += fmt.Sprintf("%%%02X", text[i])
	}
	return out
}

// doubled is escaped twice.
func doubled(text string) string { return strings.ReplaceAll(escaped(text), "%", "%25") }

// wide has the full-width forms of letters and digits, which NFKC makes plain.
func wide(text string) (out string) {
	for _, r := range text {
		out += escaped(string(r - '!' + '！'))
	}
	return out
}

// foreign has letters of other alphabets that fold to the same: dotless and dotted i, the
// long s, the Kelvin sign.
func foreign(text string) string {
	return strings.NewReplacer("i", escaped("ı"), "s", escaped("ſ"), "k", escaped("K"), "n", "N", "l", "L", "v", "V").Replace(text)
}

// TestSpellingsAreManifold: the spellings of a path do not lose their number by a mistake.
func TestSpellingsAreManifold(t *testing.T) {
	all := spellingsOfResources()
	const least = 60
	if len(all) < least*len(guardedPaths) {
		t.Errorf("%d spellings of %d paths, want %d of each", len(all), len(guardedPaths), least)
	}
	if !slices.Contains(all, "/%EF%BD%81%EF%BD%84%EF%BD%8D%EF%BD%89%EF%BD%8E/pools") {
		t.Error("the full-width form of /admin is not among them")
	}
}
