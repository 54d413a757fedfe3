package caddymodule

import (
	"bytes"
	"net/http"

	"github.com/llorch/gateway/authmin"
)

// readOther reads what a request may cost where the policy names no member of its body. A
// body that is no JSON object, or one with a Content-Length above max_body, is forwarded as
// it comes. What an encoded body asks for, or a chunked one above max_body, could not be
// reserved: these are refused as in routes of model_in.
func (g *Guard) readOther(r *http.Request, s *requestState, d *authmin.Decision) *authmin.Problem {
	if r.ContentLength == 0 || r.ContentLength > g.MaxBody {
		return nil
	}
	scanner := s.cost.scanner(nil)
	blank := true // as far as it is read
	stopped, problem := g.hold(r, s, d.Name, func(piece []byte) (stop bool, problem *authmin.Problem) {
		if blank {
			rest := bytes.TrimLeft(piece, " \t\r\n")
			if blank = len(rest) == 0; !blank && !mayBeObject(rest) {
				return true, nil
			}
		}
		if _, err := scanner.Write(piece); err != nil {
			return false, ambiguousModel(err.Error())
		}
		return false, nil
	})
	if problem != nil || stopped || blank {
		return problem
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
