package caddymodule

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/usage"
)

// usageOutcome is how the answer of a call ended.
type usageOutcome string

const (
	outcomeComplete   usageOutcome = "complete"   // whole, and its tokens are reported, or it is a refusal
	outcomeAborted    usageOutcome = "aborted"    // by the client, the upstream or the gateway
	outcomeUnreported usageOutcome = "unreported" // whole, without figures that count
)

// usageCall is one call of a guard with `usage`, from its decision to its end.
type usageCall struct {
	started  time.Time
	body     *callBody // nil: none
	model    string    // in the query, the path, or a body that was held
	status   int       // of the answer; 0 before it
	scanner  *usage.Scanner
	sized    bool          // the answer has a Content-Length
	replays  bool          // the upstream is one of ours, and says which answers are replayed
	taken    bool          // the orchestrator had made a task of it
	replayed bool          // it was counted before
	first    time.Duration // to the first text, or to the first byte of an answer that is not streamed
	seen     int64         // output tokens so far, at least
	texts    int64         // events with text so far
	failed   bool          // the client could not be written to
	problem  *authmin.Problem
	stopped  bool // the stream was ended between two events

	// onOutput is called when an event has brought output, with a lower estimate of all
	// output tokens so far, and how many events had text. A problem ends the stream after
	// that event, with the protocol's error event. nil: not called.
	onOutput func(seen, texts int64) *authmin.Problem
	// believable is the largest sum of input and output that is believed; 0 for MaxFigure.
	believable int64
	// onEnd is called once, when the answer has ended. nil: not called.
	onEnd func(usageResult)
}

// usageResult is what a call took.
type usageResult struct {
	usage.Figures // the engine's, or estimates
	outcome       usageOutcome
	estimated     bool  // Input is a quarter of the request's bytes, or Output is what was seen
	bound         int64 // of what is believed, if the figures are above it; else 0
	replayed      bool  // an answer that was counted before: no tokens are charged
	status        int   // 0 if there was no answer
}

// headerReplayed marks an answer of the orchestrator that was given before, and counted
// then. Another upstream could send it to have its tokens left out.
const headerReplayed = "X-Task-Replayed"

// headerTask names the task that the orchestrator has made of a call.
const headerTask = "X-Task-Id"

// isUnserved reports whether a status says that the request was refused before an engine
// worked on it. 409 does not: it also answers a call whose task was canceled. A gateway in
// front of the engine answers 502 and 504 after the request was sent as well, and the
// orchestrator 503 to a task that runs.
func isUnserved(status int, taken bool) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests, http.StatusNotImplemented:
		return true
	case http.StatusServiceUnavailable:
		return !taken
	}
	return false
}

// isUnsent reports whether a handler's error says that no upstream got the request: none
// was available, or none could be connected to.
func isUnsent(err error) bool {
	failed, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok {
		return false
	}
	_, dial := errors.AsType[reverseproxy.DialError](failed.Err)
	return dial || failed.StatusCode == http.StatusServiceUnavailable
}

// startCall begins to count a call, before the request is forwarded. It asks the upstream
// not to encode the answer: what is encoded cannot be read without a decoder in the path
// of each stream, and a small answer that decodes to a large one would have to be paid for.
// A guard in shadow mode changes no request, and cannot read what is encoded.
func (g *Guard) startCall(r *http.Request, s *requestState, d *authmin.Decision) *usageCall {
	c := &usageCall{started: s.start, replays: g.ModelsAt == ModelsAtUpstream}
	if !g.Shadow {
		r.Header["Accept-Encoding"] = s.field("identity")
	}
	g.watchModel(r, s, d, c)
	if g.onCall != nil {
		decision := *d // a pointer to d would put it on the heap, for every request
		g.onCall(s, &decision, c)
	}
	s.response.call = c
	return c
}

// begin is called before the first byte of the answer.
func (c *usageCall) begin(status int, h http.Header) {
	c.status = status
	c.replayed = c.replays && h.Get(headerReplayed) == "true"
	c.taken = len(h[headerTask]) > 0
	c.sized = len(h["Content-Length"]) > 0
	kind := h.Get("Content-Type")
	if coding := h.Get("Content-Encoding"); coding != "" && coding != "identity" || status >= http.StatusBadRequest || status == http.StatusAccepted {
		kind = "" // nothing in it is a figure
	}
	c.scanner = usage.NewScanner(kind)
}

// result is what the call took. err is the handlers' error, whole that they have returned.
func (c *usageCall) result(err error, whole bool) usageResult {
	result := usageResult{status: c.status, replayed: c.replayed}
	if c.scanner != nil {
		c.scanner.Close()
		result.Figures, c.seen, c.texts = c.scanner.Figures(), c.scanner.Seen(), c.scanner.Texts()
	}
	if c.believable > 0 && result.Input+result.Output > c.believable {
		result.Figures, c.seen, result.bound = usage.Figures{Model: result.Model}, c.texts, c.believable
	}
	switch {
	case !whole || err != nil || c.failed || c.stopped || c.status == 0 || c.status == statusClientClosed:
		result.outcome = outcomeAborted
		if c.status == 0 && isUnsent(err) {
			return result
		}
	case result.Reported:
		result.outcome = outcomeComplete
		return result
	case isUnserved(c.status, c.taken):
		result.outcome = outcomeComplete
		return result
	default:
		result.outcome = outcomeUnreported
	}
	result.estimated = true
	result.Output = max(result.Output, c.seen)
	if result.Input == 0 {
		result.Input = c.body.tokens()
	}
	return result
}

// endCall writes the record of a call, and adds to the metrics.
func (g *Guard) endCall(s *requestState, d *authmin.Decision, c *usageCall, result usageResult) {
	if c.onEnd != nil {
		c.onEnd(result)
	}
	if result.replayed {
		return
	}
	g.usage.count(cmp.Or(d.Name, d.Identity), result.Input, result.Output)
	if c.scanner != nil && c.scanner.Streamed() && c.first > 0 {
		g.usage.observeFirst(c.first)
	}
	clean := func(model string) string {
		return authmin.CleanText(g.app.store.leaks.Redact(model), authmin.MaxLoggedHost)
	}
	asked := c.model
	if asked == "" {
		asked = c.body.name()
	}
	g.app.audit.usage(&usageRecord{
		guard: g.Name, identity: d.Identity, token: tokenName(d), fp6: d.Fingerprint,
		asked: clean(asked), answered: clean(result.Model), result: result,
		first: c.first, took: time.Since(c.started), correlationID: s.id,
	})
}
