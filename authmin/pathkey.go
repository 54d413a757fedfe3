package authmin

import (
	"strings"
	"unicode"
)

// keyRounds bounds the search for a stable key. No character needs more than
// three rounds; a path that needs more is refused.
const keyRounds = 8

// PathKey is what the spellings of a decoded path have in common for software that
// ignores case, width, composition and a slash at the end: two paths are variants
// of each other when their keys are equal. It is NFKC, upper case, NFKC and lower
// case, by the simple mappings of package unicode and with ß and ẞ as ss, repeated
// until it changes no more, of the path without one trailing slash. It is not ok
// when that takes too many rounds, or when the key holds a delimiter that the path
// does not: `／` is a slash to a reader that normalises.
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
