package authmin

import "strings"

// CleanField is [CleanText] for a field that a client fills in, such as Host or
// User-Agent. A client that puts its token in the wrong place has not asked for
// it to be logged: whatever is as long as a token, and made of the characters of
// one, is replaced.
func CleanField(text string, most int) string {
	return CleanText(redactRuns(text, isTokenByte, nil), most)
}

// CleanPath is [CleanField] for a path. A segment in the form of a UUID stays,
// since that is what tasks and sessions are found by.
func CleanPath(path string, most int) string {
	if path != "" && path[0] != '/' {
		return redacted // no origin form: it could hold user information
	}
	segment := func(c byte) bool { return c != '/' && isTokenByte(c) }
	return CleanText(redactRuns(path, segment, isUUID), most)
}

func isTokenByte(c byte) bool { return token68Bytes[c] || c == '=' || c == '%' }

// redactRuns replaces every run of at least [MinTokenLength] bytes that are all
// in a set, unless the exception takes it.
func redactRuns(text string, in func(byte) bool, except func(string) bool) string {
	if len(text) < MinTokenLength {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && in(text[end]) {
			end++
		}
		switch run := text[i:end]; {
		case len(run) == 0:
			b.WriteByte(text[i])
			i++
			continue
		case len(run) < MinTokenLength || except != nil && except(run):
			b.WriteString(run)
		default:
			b.WriteString(redacted)
		}
		i = end
	}
	return b.String()
}

// isUUID accepts the 36 characters of RFC 9562 §4.
func isUUID(text string) bool {
	const length = 36
	if len(text) != length {
		return false
	}
	for i := range length {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (text[i] == '-') || (!dash && unhex(text[i]) < 0) {
			return false
		}
	}
	return true
}
