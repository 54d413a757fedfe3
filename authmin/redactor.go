package authmin

import (
	"io"
	"slices"
	"strings"
	"time"
)

// Redactor finds the tokens of its keyrings in text from clients, engines and
// programs, and replaces them. It is the one place that recognizes tokens in text:
// in paths, queries, Host, header fields, ids, the audit trail and logs.
//
// It finds a token that is alone, or delimited by bytes that no token has or by one of
// - _ + ~ . / = : sk-TOKEN, v1_TOKEN, Bearer+TOKEN, /a/TOKEN.json; directly after the
// word Bearer; across segments of a path, if the token has slashes; percent-encoded
// in whole or in part, up to three times; and in lower case, as in a Host or the name
// of a field, if the token was known in clear or has no capitals. It does not find a
// token that directly follows another letter or digit, that is truncated, or that
// is encoded in another way, such as base64.
//
// The nil Redactor knows no token.
type Redactor struct{ rings []func() *Keyring }

// NewRedactor makes one for at most two keyrings, which may change.
func NewRedactor(rings ...func() *Keyring) *Redactor {
	return &Redactor{rings[:min(len(rings), maxRings)]}
}

// SecretRing makes a keyring of secrets that no client may present, such as the
// gateway's own, for a [Redactor]. It ignores zero and repeated secrets.
func SecretRing(secrets ...Secret) *Keyring {
	var tokens []Token
	for _, secret := range secrets {
		known := func(t Token) bool { return t.digest.Equal(secret.Digest()) }
		if !secret.IsZero() && !slices.ContainsFunc(tokens, known) {
			tokens = append(tokens, NewToken("secret", secret))
		}
	}
	k := placed(tokens)
	k.fillSpellings(tokens)
	return k
}

// over adds the current keyrings to a search.
func (r *Redactor) over(s *search) *search {
	for _, ring := range r.rings {
		s.add(ring())
	}
	return s
}

// ContainsToken reports whether text contains a known token, valid or not. If an answer
// depends on the result, use [Redactor.ContainsValidToken].
func (r *Redactor) ContainsToken(text string) bool {
	var s search
	return r != nil && len(text) >= MinTokenLength && r.over(&s).contains(text)
}

// ContainsTokenFolded is [Redactor.ContainsToken] for text whose case the client or Go
// may have changed: a Host, or the name of a header field.
func (r *Redactor) ContainsTokenFolded(text string) bool {
	s := search{fold: true}
	return r != nil && len(text) >= MinTokenLength && r.over(&s).contains(text)
}

// ContainsValidToken reports whether text contains a token that is valid at a time.
func (r *Redactor) ContainsValidToken(text string, now time.Time) bool {
	s := search{usable: true, now: now}
	return r != nil && len(text) >= MinTokenLength && r.over(&s).contains(text)
}

// ContainsValidTokenFolded is [Redactor.ContainsValidToken] for text whose case may have
// been changed.
func (r *Redactor) ContainsValidTokenFolded(text string, now time.Time) bool {
	s := search{usable: true, now: now, fold: true}
	return r != nil && len(text) >= MinTokenLength && r.over(&s).contains(text)
}

// Redact replaces every token in text, valid or not.
func (r *Redactor) Redact(text string) string {
	if r == nil || len(text) < MinTokenLength {
		return text
	}
	s := search{fold: true}
	return r.over(&s).redact(text)
}

// RedactLine is [Redactor.Redact] for a log line, which may have escapes of JSON or
// Go.
func (r *Redactor) RedactLine(line string) string {
	if r == nil || len(line) < MinTokenLength {
		return line
	}
	s := search{fold: true, quoted: true}
	return r.over(&s).redact(line)
}

// Field returns a field from a client as it may be logged: see [CleanField], which
// leaves nothing that is as long as a token.
func (r *Redactor) Field(text string, most int) string { return CleanField(text, most) }

// Path returns a path as it may be logged: see [CleanPath]. Tokens in the form of a
// UUID, or with slashes, are replaced as well.
func (r *Redactor) Path(path string, most int) string { return CleanPath(r.Redact(path), most) }

// Query returns a query, or the value of a header field, as it may be logged.
func (r *Redactor) Query(text string, most int) string { return CleanField(r.Redact(text), most) }

// Writer wraps a log's writer. Each call of Write is one line.
func (r *Redactor) Writer(w io.Writer) io.Writer { return redactingWriter{r, w} }

type redactingWriter struct {
	redactor *Redactor
	to       io.Writer
}

// Write implements [io.Writer].
func (w redactingWriter) Write(line []byte) (int, error) {
	text := string(line)
	clean := w.redactor.RedactLine(text)
	if len(clean) == len(text) { // unchanged: every token is longer than its replacement
		return w.to.Write(line)
	}
	if _, err := io.WriteString(w.to, clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// redact replaces the tokens of text as it is, then those that appear when its
// escapes are decoded.
func (s *search) redact(text string) string {
	if s.count == 0 {
		return text
	}
	s.left = maxCandidates
	for depth := range maxDecodings + 1 {
		text = s.redactAt(text, depth)
	}
	return text
}

// redactAt replaces the tokens that appear after depth decodings.
func (s *search) redactAt(text string, depth int) string {
	var out strings.Builder
	for {
		levels, ok := decodings(text, depth)
		if !ok {
			break
		}
		start, end, found := s.find(levels[depth])
		if !found {
			break
		}
		for i := depth; i > 0; i-- {
			start, end = encodedSpan(levels[i-1], start, end)
		}
		out.WriteString(text[:start])
		out.WriteString(redacted)
		text = text[end:]
	}
	if out.Len() == 0 {
		return text
	}
	out.WriteString(text)
	return out.String()
}

// decodings returns text and its successive decodings, down to depth. ok is false if
// fewer exist.
func decodings(text string, depth int) (levels [maxDecodings + 1]string, ok bool) {
	levels[0] = text
	for i := range depth {
		if levels[i+1], ok = decodeEscapes(levels[i]); !ok {
			return levels, false
		}
	}
	return levels, true
}

// encodedSpan returns the range of text that decodes to the range start to end.
func encodedSpan(text string, start, end int) (from, to int) {
	decoded := 0
	for at := 0; at < len(text) && decoded < end; decoded++ {
		_, width := escapeAt(text, at)
		if decoded == start {
			from = at
		}
		at += width
		to = at
	}
	return from, to
}
