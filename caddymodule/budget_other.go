package caddymodule

import (
	"bytes"
	"net/http"

	"github.com/llorch/gateway/authmin"
)

// problemNoJSON ends the reading of a body that is no JSON. It is not answered: the request
// is forwarded.
var problemNoJSON = authmin.Problem{Title: "The body is no JSON"}

// readOther reads what a request may cost where the policy names no member of its body. A
// body that is no JSON object, or larger than max_body, is forwarded as it comes.
func (g *Guard) readOther(r *http.Request, s *requestState, d *authmin.Decision) *authmin.Problem {
	if r.ContentLength == 0 || r.ContentLength > g.MaxBody {
		return nil
	}
	scanner := s.cost.scanner(nil)
	blank := true // as far as it is read
	problem := g.hold(r, s, d.Name, func(piece []byte) *authmin.Problem {
		if blank {
			rest := bytes.TrimLeft(piece, " \t\r\n")
			if blank = len(rest) == 0; !blank && !mayBeObject(rest) {
				return &problemNoJSON
			}
		}
		if _, err := scanner.Write(piece); err != nil {
			return ambiguousModel(err.Error())
		}
		return nil
	})
	switch {
	case problem == &problemNoJSON:
		return nil
	case problem != nil:
		return problem
	case blank:
		return nil
	}
	return s.cost.close(scanner)
}

// mayBeObject reports whether a reader of JSON may find an object at the beginning of a
// text, in any of the encodings of Unicode.
func mayBeObject(text []byte) bool {
	if text[0] == '{' {
		return true
	}
	for _, mark := range []string{"\xef\xbb\xbf", "\xfe\xff", "\xff\xfe", "\x00"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return true
		}
	}
	return false
}
