package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// DefaultMaxAnswer bounds one event of a native call, or its whole answer: a few
// images in base64, or the embeddings of a full batch.
const DefaultMaxAnswer = 16 << 20

// Call is a native call as the engine gets it: an engine's own request, and what of
// its answer is to be changed.
type Call struct {
	Operation nodeapi.Operation
	Object    string      // the {id} in the operation's path
	Query     string      // as the client sent it, see nodeapi.ParseQuery
	Header    http.Header // sent with it
	Body      io.Reader   // nil without a body
	BodyBytes int64
	// Rewind gives the body anew if nothing of it is lost yet; nil: it cannot.
	Rewind func() (io.ReadCloser, error)

	Stream    bool   // the request asks for events
	HideUsage bool   // the events have usage for the pool manager alone
	Model     string // what the answer calls the model; "": as the engine does
	MaxAnswer int    // bytes of an event, or of a whole answer; 0: DefaultMaxAnswer
}

// Emit sends frames. Progress says that they contain progress of the engine. Its error ends
// the call and is returned unchanged.
type Emit func(frames []byte, progress bool) error

// Answer is how a native call ended. Rest is the frames that are still to be sent
// before that of End. After an error Rest is empty, and End has the token figures only.
type Answer struct {
	End  nodeapi.CallEnd
	Rest []byte
}

// Call runs a native call. Its errors are those of [Dialect.Stream]; an [Error] has the
// engine's own answer where it refused the request. Ending ctx hangs up.
func (t Target) Call(ctx context.Context, hc *http.Client, c Call, emit Emit) (Answer, error) {
	if c.MaxAnswer <= 0 {
		c.MaxAnswer = DefaultMaxAnswer
	}
	answer, err := t.call(ctx, hc, c, emit)
	if failed, ok := errors.AsType[*Error](err); ok && failed.Stalled && !c.Stream && c.generates() {
		// It may have worked all the time: that is seen with the answer only.
		patient := *failed
		patient.Stalled = false
		err = &patient
	}
	return answer, err
}

// generates reports whether the answer is made token by token.
func (c Call) generates() bool {
	switch c.Operation.Name {
	case "chat", "completions", "responses", "responses-compact", "messages", "ollama-chat", "ollama-generate":
		return true
	}
	return false
}

func (t Target) call(ctx context.Context, hc *http.Client, c Call, emit Emit) (Answer, error) {
	ctx, progress := t.Limits.watch(ctx)
	defer progress.stop()
	response, err := t.ask(ctx, hc, c)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	hangUp := closing(response.Body)
	if response.StatusCode/100 != 2 {
		return Answer{}, t.rejection(ctx, c, response)
	}
	body, err := decoded(response)
	if err != nil {
		return Answer{}, t.failure(ctx, ClassFailed, "the engine's answer cannot be decoded", err)
	}
	r := &callReader{
		call: c, target: t, progress: progress, emit: emit, model: quoted(c.Model), hangUp: hangUp, kind: response.Header.Get("Content-Type"),
		head: nodeapi.CallHead{Status: response.StatusCode, ContentType: contentType(response.Header), Header: t.answerHeader(response.Header)},
		scan: answerScanner.Copy(),
	}
	// An engine that does not stream what it keeps may answer with all of it.
	if c.Stream && !(c.Operation.HasObject() && isJSON(r.kind)) {
		err = r.readStream(ctx, body)
	} else {
		err = r.readWhole(ctx, body)
	}
	if err == nil {
		drain(response.Body)
	}
	if emitted, ok := errors.AsType[*emitError](err); ok {
		return r.answer(), emitted.err
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r.answer(), err
}

// closing gives what ends an answer that is being read.
func closing(body io.Closer) func() {
	return func() { _ = body.Close() } // it is not read any more
}

// ask sends the request.
func (t Target) ask(ctx context.Context, hc *http.Client, c Call) (*http.Response, error) {
	path := strings.ReplaceAll(c.Operation.Path, "{id}", url.PathEscape(c.Object))
	if c.Query != "" {
		path += "?" + c.Query
	}
	request, err := http.NewRequestWithContext(ctx, c.Operation.Method, t.Base+path, c.Body)
	if err != nil {
		return nil, fmt.Errorf("making the engine's request: %w", err)
	}
	for name, values := range c.Header {
		request.Header[name] = values
	}
	if c.Body != nil {
		request.ContentLength, request.GetBody = c.BodyBytes, c.Rewind
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", c.accepts())
	request.Header.Set("Accept-Encoding", "identity")
	Authorize(request, t.Key)
	response, err := hc.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL, whose query is the client's
	}
	switch {
	case err == nil:
		return response, nil
	case connecting(err):
		return nil, t.failure(ctx, ClassUnavailable, "the engine cannot be reached", err)
	}
	return nil, t.failure(ctx, ClassReset, "the engine closed the connection without an answer", err)
}

// connecting reports whether there was no connection to send anything on.
func connecting(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

// accepts is the media type that the client waits for.
func (c Call) accepts() string {
	switch {
	case !c.Stream:
		return mediaJSON
	case c.Operation.Protocol == nodeapi.Ollama:
		return mediaLines
	}
	return mediaEvents
}
