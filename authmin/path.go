package authmin

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxTarget bounds a request target, in bytes.
const MaxTarget = 16 << 10

// ErrAmbiguousTarget is wrapped by every refusal of [CheckTarget].
var ErrAmbiguousTarget = errors.New("ambiguous request target")

// encodedSlash represents %2F in a decoded path. It is unambiguous, since an encoded
// percent sign is refused.
const encodedSlash = "%2F"

// CheckTarget returns the decoded path of a request target in origin form, as the
// client sent it. It refuses every target that two parsers could read in two ways,
// or that a proxy would rewrite: the policy judges the bytes that the upstream gets.
//
// It refuses: anything but origin form (RFC 9112 §3.2.1), a fragment, `.` and
// `..` segments, empty segments, `\`, `;`, control characters, bytes that must be
// encoded (RFC 3986 §3.3), the encoded forms of `/ \ . ; %` and of control
// characters, invalid escapes, and what is not UTF-8 after decoding. An encoded
// slash stays `%2F` in the result; whether it is allowed is the policy's
// decision.
func CheckTarget(target string) (path string, err error) {
	if len(target) > MaxTarget {
		return "", ambiguous("longer than the limit")
	}
	if target == "" || target[0] != '/' {
		return "", ambiguous("not in origin form")
	}
	raw, query, _ := strings.Cut(target, "?")
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == 0x7f || c == '#' {
			return "", ambiguous("a byte in the query that must be encoded")
		}
	}
	path, err = decodePath(raw)
	if err != nil {
		return "", err
	}
	return path, checkSegments(path)
}

// decodePath decodes once. Most paths have no escape and are returned unchanged.
func decodePath(raw string) (string, error) {
	escapes := 0
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '%':
			escapes++
		case c == ';' || c == '\\':
			return "", ambiguous("a path parameter or backslash")
		case !pathBytes[c]:
			return "", ambiguous("a byte in the path that must be encoded")
		}
	}
	if escapes == 0 {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			b.WriteByte(raw[i])
			continue
		}
		if i+2 >= len(raw) {
			return "", ambiguous("an invalid escape")
		}
		high, low := unhex(raw[i+1]), unhex(raw[i+2])
		if high < 0 || low < 0 {
			return "", ambiguous("an invalid escape")
		}
		i += 2
		switch c := byte(high<<4 | low); c {
		case '/':
			b.WriteString(encodedSlash)
		case '\\', '.', ';', '%':
			return "", ambiguous("an encoded delimiter")
		default:
			b.WriteByte(c)
		}
	}
	path := b.String()
	if !utf8.ValidString(path) {
		return "", ambiguous("not UTF-8")
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return "", ambiguous("an encoded control character")
	}
	if _, ok := PathKey(path); !ok {
		return "", ambiguous("a character that normalisation turns into a delimiter")
	}
	return path, nil
}

// checkSegments refuses empty and dot segments, also between encoded slashes.
// One empty segment at the end, the trailing slash, is an ordinary path.
func checkSegments(path string) error {
	rest := path[1:]
	for rest != "" {
		end := strings.IndexByte(rest, '/')
		next := end + 1
		if i := strings.Index(rest, encodedSlash); i >= 0 && (end < 0 || i < end) {
			end, next = i, i+len(encodedSlash)
		}
		segment := rest
		if end >= 0 {
			segment = rest[:end]
		}
		switch segment {
		case "":
			return ambiguous("an empty segment")
		case ".", "..":
			return ambiguous("a dot segment")
		}
		if end < 0 {
			return nil
		}
		rest = rest[next:]
	}
	return nil
}

func ambiguous(what string) error { return fmt.Errorf("%w: %s", ErrAmbiguousTarget, what) }

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// pathBytes are the pchar of RFC 3986 §3.3 without ";", and the slash. A proxy would
// encode any other byte, so that the upstream would get other bytes.
var pathBytes = func() (set [256]bool) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/%"
	for i := range len(allowed) {
		set[allowed[i]] = true
	}
	return set
}()
