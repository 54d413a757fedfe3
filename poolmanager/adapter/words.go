package adapter

import (
	"bytes"
	"mime"
	"regexp"
	"strings"

	"github.com/llorch/gateway/authmin"
)

const (
	// maxMessage bounds the engine's own words in an error, in bytes.
	maxMessage = 300
	// maxKind bounds a content type in an error, in bytes.
	maxKind = 64
	// redacted stands for what could be a credential.
	redacted = "[redacted]"
	// minPiece is how much of the engine's key is recognised where a line or a
	// program has cut it, in bytes: no other text has so much of it by chance.
	minPiece = 8
)

var (
	// named is a value that its name, or its scheme, calls a credential.
	named = regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+|(?:api[-_]?key|token|secret|password|passwd)["']?\s*[=:]\s*["']?)[^\s"',;<>]{6,}`)
	// random is a run as long as a token. Paths and names of models are separated
	// by what it does not have.
	random = regexp.MustCompile(`[A-Za-z0-9_+=-]{32,}`)
	// prefixed begins as the keys of well-known services do.
	prefixed = regexp.MustCompile(`\b(?:sk|pk|hf|gh[a-z]|xox[a-z]|eyJ)[-_A-Za-z0-9][A-Za-z0-9_.-]{14,}`)
	// markup is a tag of HTML, or an element whose text is not shown.
	markup = regexp.MustCompile(`(?is)<(style|script)\b.*?</(style|script)>|<[^>]*>`)
)

// Redact takes the engine's key, also where it was cut, and everything that looks
// like a credential out of an engine's text.
func Redact(key authmin.Secret, text string) string {
	text = WithoutKey(key, text)
	text = named.ReplaceAllString(text, "${1}"+redacted)
	text = prefixed.ReplaceAllString(text, redacted)
	return random.ReplaceAllStringFunc(text, func(run string) string {
		if strings.ContainsAny(run, "0123456789") || strings.ToLower(run) != run {
			return redacted
		}
		return run // a line drawn with dashes, or a long word
	})
}

// WithoutKey replaces the key, the beginning of it where something cut it short, and
// the end of it where something cut its beginning off. A text without them costs
// three looks through it.
func WithoutKey(key authmin.Secret, text string) string {
	if key.IsZero() {
		return text
	}
	value := key.Reveal()
	text = strings.ReplaceAll(text, value, redacted)
	if len(value) < 2*minPiece {
		return text
	}
	marked := strings.ReplaceAll(text, value[:minPiece], "")
	marked = strings.ReplaceAll(marked, value[len(value)-minPiece:], "")
	if len(marked) == len(text) {
		return text
	}
	for left := len(value) - 1; left >= minPiece; left-- { // the longest first
		text = strings.ReplaceAll(text, value[:left], redacted)
		text = strings.ReplaceAll(text, value[len(value)-left:], redacted)
	}
	return text
}

// words makes an engine's text fit for an error that a client reads: one line,
// printable, bounded, without credentials. cut says that the text ends where the
// reading of it did: its last word is then left out, since it may be half a key.
func (t Target) words(text []byte, cut bool) string {
	if cut {
		text = text[:bytes.LastIndexAny(text, " \t\r\n\"'<>,;")+1]
	}
	plain := string(bytes.ToValidUTF8(text, []byte("?")))
	if strings.HasPrefix(strings.TrimSpace(plain), "<") {
		plain = markup.ReplaceAllString(plain, " ")
	}
	plain = Redact(t.Key, strings.Join(strings.Fields(plain), " "))
	return authmin.CleanText(plain, maxMessage)
}

// kind is a content type for an error; its parameters are left out.
func kind(header string) string {
	if header == "" {
		return "no content type"
	}
	if media, _, err := mime.ParseMediaType(header); err == nil {
		header = media
	}
	return authmin.CleanField(header, maxKind)
}
