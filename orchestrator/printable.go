package orchestrator

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxMessage bounds what an engine's or a node's words add to a record, an
	// event or an answer, in bytes.
	maxMessage = 1024
	// maxWord bounds what should be one word: a code, a state, a reason.
	maxWord = 64
	// maxFigure bounds the counts and times that a node reports of a task: more
	// tokens, or milliseconds, than any has.
	maxFigure = 1 << 40
)

// printable makes text of a node fit for records, logs and clients' terminals:
// valid UTF-8 on one line, without control characters and those that turn the
// direction of writing or are not seen, and at most limit bytes of it.
func printable(text string, limit int) string {
	var b strings.Builder
	for _, r := range text[:min(len(text), 4*limit)] { // what is left out counts too
		switch {
		case r == '\n', r == '\r', r == '\t':
			r = ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// code gives a node's text if it is a machine-readable code, and the fallback otherwise.
func code(text, fallback string) string {
	if problemCode.MatchString(text) {
		return text
	}
	return fallback
}

// figure bounds a number that a node reports.
func figure[N int | int64](n N) N { return min(max(n, 0), N(maxFigure)) }
