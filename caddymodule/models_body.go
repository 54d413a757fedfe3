package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
)

const (
	// heldPiece is how much of a body is read, and charged, at a time.
	heldPiece = 64 << 10
	// heldBodyTime is how long a body may take that is read before it is forwarded: 32
	// MiB in it is 4.5 Mbit/s.
	heldBodyTime = time.Minute
)

// heldBody is a body in memory, and what could not be read of it.
type heldBody struct {
	pieces [][]byte
	at     int // in the first piece
	rest   io.ReadCloser
	read   func() // called when all pieces are read
	ended  error  // how the rest ends, if that is known
}

// Read implements [io.Reader]: the bytes as they came.
func (b *heldBody) Read(p []byte) (int, error) {
	for len(b.pieces) > 0 && b.at == len(b.pieces[0]) {
		b.pieces[0] = nil // not kept as long as the answer lasts
		if b.pieces, b.at = b.pieces[1:], 0; len(b.pieces) == 0 {
			b.read()
		}
	}
	if len(b.pieces) > 0 {
		n := copy(p, b.pieces[0][b.at:])
		b.at += n
		return n, nil
	}
	if b.ended != nil {
		return 0, b.ended
	}
	return b.rest.Read(p)
}

// size is how many bytes are held.
func (b *heldBody) size() (n int64) {
	for _, piece := range b.pieces {
		n += int64(len(piece))
	}
	return n
}

// Close implements [io.Closer].
func (b *heldBody) Close() error { return b.rest.Close() }

// readPiece reads a piece of a body. To stop ends the reading without a problem: the rest of
// the body is forwarded as it comes.
type readPiece func(piece []byte) (stop bool, problem *authmin.Problem)

// hold reads the body of a request into memory and puts it back. Each piece goes to read as
// it comes, so that what is wrong in a body ends its reading. It reports whether read
// stopped. Then, and after a problem, the request has the bytes that were read and the rest:
// a shadow guard forwards it.
func (g *Guard) hold(r *http.Request, s *requestState, identity string, read readPiece) (stopped bool, problem *authmin.Problem) {
	if len(r.Header["Content-Encoding"]) > 0 {
		return false, &problemBodyEncoded
	}
	if r.Body == nil || r.Body == http.NoBody {
		return false, nil
	}
	if r.ContentLength > g.MaxBody {
		return false, &problemBodyLarge
	}
	control := http.NewResponseController(s.ResponseWriter)
	if !g.Shadow && !s.lenient { // a shadow guard shortens no body; the server's own timeouts remain
		if err := control.SetReadDeadline(time.Now().Add(heldBodyTime)); err != nil {
			return false, &problemBodyLate // the time of the body cannot be bounded
		}
	}
	body := &heldBody{rest: r.Body, read: s.discharge}
	r.Body = body
	stopped, problem = g.readHeld(r, s, identity, body, read)
	idle, _ := caddyhttp.IdleTimeoutsFromContext(r.Context()) // Caddy's reader removes the deadline itself
	if idle == nil && problem == nil && !g.Shadow && !s.lenient {
		_ = control.SetReadDeadline(time.Time{})
	}
	return stopped, problem
}

// readHeld reads the pieces. Each is charged before it is there.
func (g *Guard) readHeld(r *http.Request, s *requestState, identity string, body *heldBody, read readPiece) (stop bool, problem *authmin.Problem) {
	total, left := int64(0), r.ContentLength
	for {
		size := int64(heldPiece)
		if left >= 0 {
			size = min(size, left+1) // one more, to see the end
		}
		if !s.charge(g.app, identity, size) {
			return false, &problemBodyMemory
		}
		piece := make([]byte, size)
		n, err := 0, error(nil)
		for n < len(piece) && err == nil { // io.ReadFull has the error of a cut body for every short piece
			var more int
			more, err = body.rest.Read(piece[n:])
			n += more
		}
		if n > 0 {
			body.pieces = append(body.pieces, piece[:n])
			total += int64(n)
			if left >= 0 {
				left -= int64(n)
			}
			if stop, problem := read(piece[:n]); stop || problem != nil {
				return stop, problem
			}
			if total > g.MaxBody {
				return false, &problemBodyLarge
			}
		}
		if err != nil {
			body.ended = err
			return false, endOfHeld(err, left)
		}
	}
}

// endOfHeld is the problem of a body that does not end as it should.
func endOfHeld(err error, left int64) *authmin.Problem {
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return &problemBodyLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problemBodyLate
	case !errors.Is(err, io.EOF) || left > 0:
		return &problemBodyCut
	}
	return nil
}

// bodyScanners returns the scanner of the models in a body, and the one of what it may cost;
// nil without a budget of tokens. One scanner does both, but where budgets only count: what
// cannot be counted is no reason to refuse a model.
func (g *Guard) bodyScanners(s *requestState, members []string) (models, costs *jsonbody.Scanner) {
	switch {
	case s.cost == nil:
		return jsonbody.New(jsonbody.Options{Watch: members}), nil
	case g.ShadowBudget && len(members) > 0:
		return jsonbody.New(jsonbody.Options{Watch: members}), s.cost.scanner(nil)
	}
	costs = s.cost.scanner(members)
	return costs, costs
}

// modelsInBody adds the models in a JSON object.
func (g *Guard) modelsInBody(r *http.Request, s *requestState, d *authmin.Decision, named []namedModel, members []string) ([]namedModel, *authmin.Problem) {
	scanner, costs := g.bodyScanners(s, members)
	_, problem := g.hold(r, s, d.Name, func(piece []byte) (bool, *authmin.Problem) {
		if costs != nil && costs != scanner {
			_, _ = costs.Write(piece) // Close has the error
		}
		if _, err := scanner.Write(piece); err != nil {
			return false, ambiguousModel(err.Error())
		}
		return false, nil
	})
	switch {
	case problem != nil:
		return nil, problem
	case scanner.Safe() == 0 && len(members) == 0:
		return named, nil
	case scanner.Safe() == 0:
		return nil, &problemModelMissing // no body
	}
	if err := scanner.Close(); err != nil {
		return nil, ambiguousModel(err.Error())
	}
	if costs != nil {
		if problem := s.cost.close(costs); problem != nil && g.enforced(s, refusalOfBody(problem)).problem != nil {
			return nil, problem
		}
	}
	for _, member := range members {
		value := ""
		if m, ok := scanner.Member(member); ok && m.Kind != jsonbody.Null {
			if value, ok = m.Text(); !ok {
				return nil, ambiguousModel("member " + member + " is not a string, or is too long")
			}
		}
		named = append(named, namedModel{member, value})
	}
	return named, nil
}
