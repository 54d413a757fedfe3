package authmin

import "strings"

// CleanField is [CleanText] for a field from a client, such as Host or User-Agent.
// It replaces every run of token characters that is as long as a token, since
// clients send tokens in the wrong fields.
func CleanField(text string, most int) string {
	return CleanText(redactRuns(text, isTokenByte, nil), most)
}

// CleanPath is [CleanField] for a path. Segments in the form of a UUID stay: they are
// ids of tasks and sessions.
func CleanPath(path string, most int) string {
	if path != "" && path[0] != '/' {
		return redacted // not in origin form: it could hold user information
	}
	segment := func(c byte) bool { return c != '/' && isTokenByte(c) }
	return CleanText(redactRuns(path, segment, isUUID), most)
}

func isTokenByte(c byte) bool { return token68Bytes[c] || c == '=' || c == '%' }

// redactRuns replaces every run of at least [MinTokenLength] bytes of a set, unless
// except returns true for it.
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
