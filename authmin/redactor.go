package authmin

import (
	"io"
	"slices"
	"strings"
	"time"
)

// Redactor finds the tokens of some keyrings wherever a client, an engine or a
// program has put them, and takes them out of what is written down. It is the one
// place that recognises tokens in text, for paths, queries, Host, header fields,
// ids, the audit trail and logs.
//
// It finds a token alone, or after and before any byte that no token has or one of
// - _ + ~ . / = : sk-TOKEN, v1_TOKEN, Bearer+TOKEN, /a/TOKEN.json; behind the word
// Bearer, without anything between them; over several
// segments of a path, if it has slashes; percent-encoded in whole or in part, up to
// three times; and in small letters, where a Host or a field's name made them so, if
// the token was known in clear or has no other letters. It does not find one that
// stands directly behind a letter or digit of something else, that was cut, or that
// was encoded in another way, as base64 of base64.
//
// The nil Redactor knows no token.
type Redactor struct{ rings []func() *Keyring }

// NewRedactor makes one for at most two keyrings, which may change.
func NewRedactor(rings ...func() *Keyring) *Redactor {
	return &Redactor{rings[:min(len(rings), maxRings)]}
}

// SecretRing is a keyring for a [Redactor] of secrets that no client may present, such
// as the gateway's own. It takes no secret twice, and none that is missing.
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

// over sets a search to the keyrings of this moment.
func (r *Redactor) over(s *search) *search {
	for _, ring := range r.rings {
		s.add(ring())
	}
	return s
}

// Holds reports whether a text holds a token that is known, valid or not. What an
// answer depends on asks [Redactor.HoldsValid].
func (r *Redactor) Holds(text string) bool {
	var s search
	return r != nil && len(text) >= MinTokenLength && r.over(&s).holds(text)
}

// HoldsFolded is [Redactor.Holds] for text whose letters the client's program or
// Go may have changed: a Host, or the name of a header field.
func (r *Redactor) HoldsFolded(text string) bool {
	s := search{fold: true}
	return r != nil && len(text) >= MinTokenLength && r.over(&s).holds(text)
}

// HoldsValid reports whether a text holds a token that is valid at a moment.
func (r *Redactor) HoldsValid(text string, now time.Time) bool {
	s := search{usable: true, now: now}
	return r != nil && len(text) >= MinTokenLength && r.over(&s).holds(text)
}

// HoldsValidFolded is [Redactor.HoldsValid] where letters may have been changed.
func (r *Redactor) HoldsValidFolded(text string, now time.Time) bool {
	s := search{usable: true, now: now, fold: true}
	return r != nil && len(text) >= MinTokenLength && r.over(&s).holds(text)
}

// Redact replaces every token in a text, valid or not.
func (r *Redactor) Redact(text string) string {
	if r == nil || len(text) < MinTokenLength {
		return text
	}
	s := search{fold: true}
	return r.over(&s).redact(text)
}

// RedactLine is [Redactor.Redact] for a line of a log, whatever its format: it may
// have escapes of JSON or Go in it.
func (r *Redactor) RedactLine(line string) string {
	if r == nil || len(line) < MinTokenLength {
		return line
	}
	s := search{fold: true, quoted: true}
	return r.over(&s).redact(line)
}

// Field is what may be written down of a field that a client fills in: see
// [CleanField]. It needs no look for tokens: nothing is left that is as long as one.
func (r *Redactor) Field(text string, most int) string { return CleanField(text, most) }

// Path is what may be written down of a path: see [CleanPath]. A token in the form
// of a UUID, or with slashes, is taken out too.
func (r *Redactor) Path(path string, most int) string { return CleanPath(r.Redact(path), most) }

// Query is what may be written down of a query, or of one field of a header.
func (r *Redactor) Query(text string, most int) string { return CleanField(r.Redact(text), most) }

// Writer cleans what a log writes, each call of Write a line.
func (r *Redactor) Writer(w io.Writer) io.Writer { return redactingWriter{r, w} }

type redactingWriter struct {
	redactor *Redactor
	to       io.Writer
}

// Write implements [io.Writer].
func (w redactingWriter) Write(line []byte) (int, error) {
	text := string(line)
	clean := w.redactor.RedactLine(text)
	if len(clean) == len(text) { // no token is as short as what stands for it
		return w.to.Write(line)
	}
	if _, err := io.WriteString(w.to, clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// redact takes out the tokens of a text as it is, then those that appear when its
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

// redactAt takes out the tokens that appear after some decodings.
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

// decodings are a text and what each decoding makes of the one before. It is not ok
// if there are not as many.
func decodings(text string, depth int) (levels [maxDecodings + 1]string, ok bool) {
	levels[0] = text
	for i := range depth {
		if levels[i+1], ok = decodeEscapes(levels[i]); !ok {
			return levels, false
		}
	}
	return levels, true
}

// encodedSpan is where in a text the part stands that decoding puts at start to end.
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
