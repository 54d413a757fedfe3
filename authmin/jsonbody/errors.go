package jsonbody

import "strconv"

// A Code says why a document is refused.
type Code string

// The codes of an [Error]. They are a closed set and may be used as labels.
const (
	Syntax    Code = "syntax"     // not JSON, cut short, or with bytes after its end
	Ambiguous Code = "ambiguous"  // a watched member a second time, or spelled differently
	TooDeep   Code = "too_deep"   // nested deeper than Options.MaxDepth
	NotObject Code = "not_object" // JSON perhaps, but no object at the top
	BadText   Code = "bad_text"   // invalid UTF-8, a lone surrogate escape, or NUL where it matters
)

// An Error says why a document is refused, in words for the client that sent
// it. It never contains text of the document.
type Error struct {
	Code   Code
	Path   string // the watched member of an Ambiguous error, as Options spell it
	Offset int64  // of the byte, member name or character that is refused
	reason string
}

// Error names the member, or what is wrong and where.
func (e *Error) Error() string {
	if e.Path != "" {
		return "member " + e.Path + " " + e.reason
	}
	return e.reason + " at byte " + strconv.FormatInt(e.Offset, 10)
}
