package httpapi

import (
	"bytes"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/orchestrator"
)

// receivedKey is the context key of what was received of native.body.
type receivedKey struct{}

// received has the operation that takes tasks receive large ones in pieces. It is for
// callers that may use the operation: the scope is checked before.
func (a *API) received(op *huma.Operation) {
	op.Middlewares = append(op.Middlewares, a.receive)
}

// receive passes a task of at most 1 MiB on as it is. Of a larger one native.body is
// stored as it comes, and the rest is passed on.
func (a *API) receive(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	if r.ContentLength >= 0 && r.ContentLength <= orchestrator.TaskBytes {
		next(hc)
		return
	}
	release, err := a.takeStream(hc.Context())
	if err != nil {
		a.base.WriteProblem(w, r, a.problem(r.Context(), err))
		return
	}
	defer release()
	text, native, err := a.readTask(w, r)
	if err != nil {
		a.base.WriteProblem(w, r, a.problem(r.Context(), err))
		return
	}
	defer native.Discard(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(text))
	next(huma.WithValue(hc, receivedKey{}, native))
}

// readTask reads a task to its end, and gives what huma is to read. A client that does
// not tell the length may send a small one.
func (a *API) readTask(w http.ResponseWriter, r *http.Request) ([]byte, *orchestrator.Received, error) {
	body := io.Reader(newBody(w, r))
	if r.ContentLength < 0 {
		first, err := io.ReadAll(io.LimitReader(body, orchestrator.TaskBytes+1))
		if err != nil || len(first) <= orchestrator.TaskBytes {
			return first, nil, err
		}
		body = io.MultiReader(bytes.NewReader(first), body)
	}
	return a.o.ReceiveTask(r.Context(), who(r.Context()), body)
}
