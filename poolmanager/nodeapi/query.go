package nodeapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxQuery bounds the query of a native call, in bytes. Clients ask in it for pages and
// for members to include, which are short.
const MaxQuery = 2 << 10

// ParseQuery reads the query of a native call, which goes to the engine byte for byte. It
// refuses what a URL cannot hold (RFC 3986 §3.4; brackets pass, since clients do not
// escape those of include[]=…), and what two programs may read in two ways: a semicolon,
// a broken escape, an escaped control character, text that is not UTF-8. An error repeats
// nothing of it.
func ParseQuery(text string) (url.Values, error) {
	if len(text) > MaxQuery {
		return nil, fmt.Errorf("the query has over %d bytes", MaxQuery)
	}
	for i := range len(text) {
		if !inQuery(text[i]) {
			return nil, fmt.Errorf("byte %d of the query has to be escaped", i+1)
		}
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, errors.New("the query has a broken escape: write % and two hexadecimal digits")
	}
	for name, all := range values {
		for _, part := range slices.Concat(all, []string{name}) {
			if !utf8.ValidString(part) || strings.ContainsFunc(part, unicode.IsControl) {
				return nil, errors.New("the query has a control character, or is not UTF-8")
			}
		}
	}
	return values, nil
}

// inQuery reports whether a byte may be in a query as it is.
func inQuery(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("\"#;<>\\^`{|}", rune(c))
}

// MemberPath is the path of the member that a name in a query means to programs that read
// nested members there, without the numbers of elements: options.num_ctx and
// options[num_ctx], tools[0][type].
func MemberPath(name string) []string {
	path := strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune(".[]", c) })
	return slices.DeleteFunc(path, func(part string) bool { return strings.Trim(part, "0123456789") == "" })
}
