package caddymodule

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
)

// Bounds of a form: engines have fewer than ten parts, one of them a file.
const (
	maxFormParts  = 64
	maxPartHeader = 4 << 10
	maxBoundary   = 70 // RFC 2046 §5.1.1
)

// modelsInForm adds the models in a multipart/form-data body. Parsers of it differ in
// nearly everything, so it has to be in the one form that all read alike: lines end in
// CRLF, the boundary stands nowhere else, and nothing is before the first or after the
// last.
func (g *Guard) modelsInForm(r *http.Request, s *requestState, d *authmin.Decision, named []namedModel, members []string) ([]namedModel, *authmin.Problem) {
	boundary, problem := formBoundary(r.Header["Content-Type"])
	if problem != nil {
		return nil, problem
	}
	all := func([]byte) (bool, *authmin.Problem) { return false, nil }
	if _, problem := g.hold(r, s, d.Name, all); problem != nil {
		return nil, problem
	}
	var pieces [][]byte
	size := int64(0)
	if held, ok := r.Body.(*heldBody); ok {
		pieces, size = held.pieces, held.size()
	}
	if !s.charge(g.app, d.Name, size) { // for the copy, which is in one piece
		return nil, &problemBodyMemory
	}
	parts, ok := splitForm(bytes.Join(pieces, nil), boundary)
	if !ok {
		return nil, ambiguousModel("the form has not the one shape that all servers read alike")
	}
	at := len(named)
	for _, member := range members {
		named = append(named, namedModel{member: member})
	}
	if s.cost != nil {
		s.cost.readForm(parts)
	}
	for _, part := range parts {
		if why := addPart(named[at:], part); why != "" {
			return nil, ambiguousModel(why)
		}
	}
	return named, nil
}

// formBoundary reads the boundary from the one Content-Type, which has no other parameter and
// none of the extended forms of RFC 2231: `boundary*=` is another boundary to some servers.
func formBoundary(lines []string) (string, *authmin.Problem) {
	if len(lines) != 1 {
		return "", ambiguousModel("Content-Type is not there once")
	}
	kind, parameter, _ := strings.Cut(lines[0], ";")
	name, boundary, _ := strings.Cut(strings.TrimLeft(parameter, " "), "=")
	if !strings.EqualFold(kind, "multipart/form-data") || !strings.EqualFold(name, "boundary") {
		return "", ambiguousModel("Content-Type is not multipart/form-data with one boundary")
	}
	if len(boundary) > 2 && boundary[0] == '"' && boundary[len(boundary)-1] == '"' {
		boundary = boundary[1 : len(boundary)-1]
	}
	other := func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	if boundary == "" || len(boundary) > maxBoundary || strings.ContainsFunc(boundary, other) {
		return "", ambiguousModel("the boundary is not 1 to 70 letters, digits, - and _")
	}
	return boundary, nil
}

// splitForm returns the parts, each with its header and its content.
func splitForm(body []byte, boundary string) (parts [][]byte, ok bool) {
	mark := []byte("--" + boundary)
	rest, ok := bytes.CutPrefix(body, append(mark, "\r\n"...))
	if !ok {
		return nil, false
	}
	between := append([]byte("\r\n"), mark...)
	for len(parts) < maxFormParts {
		part, after, found := bytes.Cut(rest, between)
		if !found || bytes.Contains(part, mark) {
			return nil, false
		}
		parts = append(parts, part)
		if last, ended := bytes.CutPrefix(after, []byte("--")); ended {
			return parts, len(last) == 0 || string(last) == "\r\n"
		}
		if rest, ok = bytes.CutPrefix(after, []byte("\r\n")); !ok {
			return nil, false
		}
	}
	return nil, false
}

// addPart adds the value of a part that names a model. It returns what is wrong with a part
// that servers could read in two ways.
func addPart(named []namedModel, part []byte) (why string) {
	header, value, ok := bytes.Cut(part, []byte("\r\n\r\n"))
	if !ok || len(header) > maxPartHeader {
		return "a part has no header, or one that is too long"
	}
	name, file, ok := partName(string(header))
	if !ok || name == "_charset_" { // by which some servers decode the other parts
		return "a part has another header than Content-Disposition, with one name in quotes, and a Content-Type that is text in UTF-8 or that of a file"
	}
	for i := range named {
		if !jsonbody.Folds(formName(name), named[i].member) {
			continue
		}
		if name != named[i].member || named[i].value != "" || file || len(value) == 0 {
			return "the part " + named[i].member + " occurs twice, is spelled otherwise, is a file, or is empty"
		}
		named[i].value = string(value)
	}
	return ""
}

// formName cuts a name as servers do that take `model[]` for model.
func formName(name string) string {
	if cut := strings.IndexByte(name, '['); cut > 0 {
		name = name[:cut]
	}
	return strings.TrimSpace(name)
}

// partName reads the header of a part: Content-Disposition once, and what says nothing of
// the name.
func partName(header string) (name string, file, ok bool) {
	if strings.ContainsFunc(header, func(c rune) bool { return c < ' ' && c != '\r' && c != '\n' || c == 0x7f || c == 0xfffd }) {
		return "", false, false
	}
	found, typed := false, false
	for line := range strings.SplitSeq(header, "\r\n") {
		key, value, colon := strings.Cut(line, ":")
		switch {
		case !colon || strings.ContainsAny(value, "\r\n"):
			return "", false, false
		case strings.EqualFold(key, "Content-Disposition") && !found:
			found = true
			if name, file, ok = disposition(strings.TrimSpace(value)); !ok {
				return "", false, false
			}
		case strings.EqualFold(key, "Content-Type"):
			if text := strings.ToLower(strings.TrimSpace(value)); text != "text/plain" && text != "text/plain; charset=utf-8" {
				typed = true
			}
		case strings.EqualFold(key, "Content-Length"):
		default:
			return "", false, false
		}
	}
	return name, file, found && (file || !typed)
}

// disposition reads `form-data; name="…"[; filename="…"]`. Without backslashes, percent signs and
// further quotes there is one reading of the quoted texts.
func disposition(value string) (name string, file, ok bool) {
	rest, ok := strings.CutPrefix(value, `form-data; name="`)
	if !ok {
		return "", false, false
	}
	name, rest, ok = strings.Cut(rest, `"`)
	if !ok || name == "" || strings.ContainsAny(name, `\%;=`) {
		return "", false, false
	}
	if rest == "" {
		return name, false, true
	}
	rest, file = strings.CutPrefix(rest, `; filename="`)
	_, end, closed := strings.Cut(rest, `"`)
	return name, true, file && closed && end == "" && !strings.ContainsAny(rest, `\`)
}
