package authmin

import (
	"strings"
	"unicode"
)

// keyRounds bounds the search for a stable key. No character needs more than
// three rounds; a path that needs more is refused.
const keyRounds = 8

// PathKey returns a key that is equal for all spellings of a decoded path that
// software takes for one if it ignores case, width, composition and a trailing
// slash. Two paths with equal keys are variants of each other. The key is the path
// without one trailing slash, put through NFKC, upper case, NFKC and lower case (the
// simple mappings of package unicode, with ß and ẞ as ss) until it is stable. ok is
// false when that takes too many rounds, or when the key has a delimiter that the
// path has not: `／` becomes a slash.
func PathKey(path string) (key string, ok bool) {
	path = strings.TrimSuffix(path, "/")
	if isASCII(path) {
		return strings.ToLower(path), true
	}
	key = path
	for range keyRounds {
		next := foldRound(key)
		if next == key {
			return key, !addsDelimiter(path, key)
		}
		key = next
	}
	return "", false
}

func foldRound(text string) string {
	text = strings.Map(unicode.ToUpper, nfkc(text))
	text = strings.Map(unicode.ToLower, nfkc(text))
	return strings.ReplaceAll(text, "ß", "ss") // ẞ in lower case is ß
}

// addsDelimiter reports whether a key has more of a delimiter than its path.
func addsDelimiter(path, key string) bool {
	for _, delimiter := range []string{"/", ".", "%", ";", `\`} {
		if strings.Count(key, delimiter) > strings.Count(path, delimiter) {
			return true
		}
	}
	return false
}
