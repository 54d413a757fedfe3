package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// A member in other letters is another one. encoding/json takes MAX_TOKENS for
// max_tokens all the same, and would do so with a value that was not validated.
func init() { huma.ValidateStrictCasing = true }

// formats are huma's, with JSON read as readJSON does.
func formats() map[string]huma.Format {
	all := maps.Clone(huma.DefaultFormats)
	for _, name := range []string{"application/json", "json"} {
		f := all[name]
		f.Unmarshal = readJSON
		all[name] = f
	}
	return all
}

// A TextSeer is a body that is shown its text after it was decoded: decoding does not
// tell that a member occurs twice. The text is valid during the call only.
type TextSeer interface{ SeeText(text []byte) }

var errNotUTF8 = errors.New("the body is not UTF-8")

// readJSON refuses what encoding/json would change: bytes that are no UTF-8 become
// U+FFFD there. What passes the schema and does not fit after all, such as 1.0 for
// a whole number, is named by its place, not by a type of Go.
func readJSON(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errNotUTF8
	}
	err := json.Unmarshal(text, into)
	if seer, ok := into.(TextSeer); ok && err == nil {
		seer.SeeText(text)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Errorf("%s: the value does not fit; a whole number has no point and no exponent, and at most 64 bits", wrong.Field)
	}
	return err
}
