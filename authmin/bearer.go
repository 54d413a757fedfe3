package authmin

// Presented says what the fields held in which a request may present a credential:
// Authorization, and X-Api-Key where it is read.
type Presented uint8

const (
	// PresentedNothing is a request without such a field.
	PresentedNothing Presented = iota
	// PresentedMalformed is a field that is not one credential (two lines, another
	// scheme, a bad character, too long), or two fields with two tokens.
	PresentedMalformed
	// PresentedToken is one well-formed bearer token.
	PresentedToken
)

const bearerScheme = "bearer"

// ParseBearer reads the lines of a request's Authorization field: exactly one,
// with the scheme Bearer in any case (RFC 9110 §11.1), one or more SP, and a
// token of RFC 6750 §2.1 of at most [MaxTokenLength] bytes. It hashes the token and
// returns the digest only. The digest is meaningless unless the second result is
// [PresentedToken].
func ParseBearer(lines []string) (Digest, Presented) {
	if len(lines) == 0 {
		return Digest{}, PresentedNothing
	}
	if len(lines) > 1 {
		// One party reading the first line and another the last is a bypass.
		return Digest{}, PresentedMalformed
	}
	line := lines[0]
	if len(line) <= len(bearerScheme) || !isBearerScheme(line[:len(bearerScheme)]) {
		return Digest{}, PresentedMalformed
	}
	rest := line[len(bearerScheme):]
	start := 0
	for start < len(rest) && rest[start] == ' ' {
		start++
	}
	credential := rest[start:]
	if start == 0 || len(credential) > MaxTokenLength || !isToken68(credential) {
		return Digest{}, PresentedMalformed
	}
	return digestOf(credential), PresentedToken
}

// isBearerScheme compares ASCII letters without regard to case. The scheme is
// public, so there is no need for constant time.
func isBearerScheme(scheme string) bool {
	for i := range len(bearerScheme) {
		if scheme[i]|0x20 != bearerScheme[i] {
			return false
		}
	}
	return true
}

// isToken68 is the b64token of RFC 6750 §2.1:
// 1*(ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/") *"=".
func isToken68(text string) bool {
	end := len(text)
	for end > 0 && text[end-1] == '=' {
		end--
	}
	if end == 0 {
		return false
	}
	for i := range end {
		if !token68Bytes[text[i]] {
			return false
		}
	}
	return true
}

var token68Bytes = func() (set [256]bool) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	for i := range len(alphabet) {
		set[alphabet[i]] = true
	}
	return set
}()
