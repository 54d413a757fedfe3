package orchestrator

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxStreamBytes bounds the answer to one streamed call. What does not stream has the
// bound of an event.
const maxStreamBytes = 64 << 20

// callOutput is what a native call has given.
type callOutput struct {
	part  int64 // bytes of the event that is not complete
	end   nodeapi.CallEnd
	error *nodeapi.CallError // nil: the engine has not failed
}

// performCall dispatches a native call and copies the engine's answer, byte for byte,
// until it ends. How it ended is also an event, as of other tasks.
func (a *attempt) performCall(ctx context.Context) (nodeapi.Event, error) {
	if a.request.call == nil {
		return nodeapi.Event{}, fmt.Errorf("%w: its record has lost the request: %w", errBodyLost, store.ErrNotFound)
	}
	body, err := a.o.body(ctx, a.request)
	if err != nil {
		return nodeapi.Event{}, err
	}
	c := a.request.call
	stream, err := a.l.client.Call(ctx, a.l.poolID, nodeapi.CallRequest{
		TaskID: a.e.id, Operation: c.Operation, Object: c.Object, Query: c.Query, ModelRef: a.l.model, AnswerModel: a.request.ModelRef,
		Stream: c.Stream, ShowUsage: c.ShowUsage, Places: c.Places, Header: c.Header, Body: body, BodyBytes: c.Bytes,
		DeadlineMS: max(1, a.w.deadline.Sub(a.o.now()).Milliseconds()), StreamLimitMS: a.w.limit.Milliseconds(),
	})
	if err != nil {
		return nodeapi.Event{}, err
	}
	defer stream.Close()
	for {
		f, err := stream.Next()
		if err != nil {
			return nodeapi.Event{}, err
		}
		switch f.Kind {
		case nodeapi.FrameEnd:
			return a.endCall(f)
		case nodeapi.FrameError:
			return a.failCall(ctx, f)
		}
		a.clock.flows()
		if err := a.takeFrame(ctx, f); err != nil {
			return nodeapi.Event{}, err
		}
	}
}

// takeFrame passes on a piece of the engine's answer.
func (a *attempt) takeFrame(ctx context.Context, f nodeapi.Frame) error {
	kind := EventChunk
	switch f.Kind {
	case nodeapi.FrameHead:
		var head nodeapi.CallHead
		if err := f.Decode(&head); err != nil {
			return err
		}
		return a.answer(ctx, head)
	case nodeapi.FramePart:
		kind = EventPart
	case nodeapi.FrameLast:
		kind = EventLast
	}
	size := int64(len(f.Payload))
	a.bytes += len(f.Payload)
	a.call.part += size
	most := a.o.content.event
	if a.request.call.Stream {
		most = maxStreamBytes
	}
	if a.call.part > a.o.content.event || int64(a.bytes) > most {
		return errTooMuch
	}
	if !utf8.Valid(f.Payload) {
		return fmt.Errorf("%w: it sent text that is not UTF-8", errWrongOutput)
	}
	if err := a.allowOutput(ctx); err != nil {
		return err
	}
	a.tail.add(kind, bytes.Clone(f.Payload))
	if kind != EventPart {
		a.call.part = 0
		a.tokens++
	}
	return nil
}

// answer passes on how the engine's answer begins. What a node says in it is limited to
// what an engine may say.
func (a *attempt) answer(ctx context.Context, head nodeapi.CallHead) error {
	for name, value := range head.Header {
		if !nodeapi.TravelsWithAnswer(name) || len(value) > maxMessage || printable(value, maxMessage) != value {
			delete(head.Header, name)
		}
		if strings.EqualFold(name, "Retry-After") {
			bounded, ok := nodeapi.BoundRetryAfter(value, a.o.now())
			if head.Header[name] = bounded; !ok {
				delete(head.Header, name)
			}
		}
	}
	if len(head.Header) > maxCallHeaders || head.Status < 200 || head.Status > 599 {
		return fmt.Errorf("%w: its answer begins with what is no answer of an engine", errWrongOutput)
	}
	head.ContentType = contentType(head.ContentType)
	if err := a.allowOutput(ctx); err != nil {
		return err
	}
	a.tail.add(EventAnswer, encodeData(AnswerData{head, a.fallback}))
	return nil
}

// contentType gives the type of an engine's answer, if it is one that a browser cannot
// take for a page.
func contentType(said string) string {
	switch kind, _, _ := bytes.Cut([]byte(said), []byte(";")); string(bytes.ToLower(bytes.TrimSpace(kind))) {
	case "application/json":
		return "application/json"
	case "text/event-stream":
		return "text/event-stream; charset=utf-8"
	case "application/x-ndjson":
		return "application/x-ndjson"
	case "text/plain":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

func (a *attempt) endCall(f nodeapi.Frame) (nodeapi.Event, error) {
	if err := f.Decode(&a.call.end); err != nil {
		return nodeapi.Event{}, err
	}
	if a.request.call.Unstored {
		a.call.end.ResponseID = "" // there is nothing to go on with
	}
	end := a.call.end
	a.countTokens(figure(end.TokensOut))
	return nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: end.TokensIn, TokensOut: end.TokensOut, DecodeMS: end.DecodeMS, FinishReason: end.FinishReason}, nil
}

// failCall takes over why a call failed. An engine's own refusal becomes the answer,
// unless another pool is to be asked.
func (a *attempt) failCall(ctx context.Context, f nodeapi.Frame) (nodeapi.Event, error) {
	var failure nodeapi.CallError
	if err := f.Decode(&failure); err != nil {
		return nodeapi.Event{}, err
	}
	end := nodeapi.Event{Type: nodeapi.EventError, Code: failure.Code, Message: failure.Message, Engine: failure.Engine,
		RetryAfterMS: min(max(0, failure.RetryAfterMS), nodeapi.MaxRetryAfter.Milliseconds()), TokensIn: failure.TokensIn, TokensOut: failure.TokensOut}
	if failure.Status < 400 || failure.Status > 599 {
		failure.Status = 0
	}
	a.call.error = &failure
	a.countTokens(figure(failure.TokensOut))
	if a.first || failure.Status == 0 || len(failure.Body) == 0 || asBusy(end) != nil || a.elsewhere() {
		return end, nil
	}
	if err := a.answer(ctx, nodeapi.CallHead{Status: failure.Status, ContentType: failure.ContentType, Header: failure.Header}); err != nil {
		return nodeapi.Event{}, err
	}
	a.tail.add(EventChunk, bytes.ToValidUTF8(failure.Body, []byte("\uFFFD")))
	return end, nil
}

// elsewhere reports whether another pool is asked after the engine's failure: once,
// after one that says nothing against the request.
func (a *attempt) elsewhere() bool {
	f := a.call.error
	if f == nil || a.first || a.w.failuresOfModel() > 0 {
		return false
	}
	switch f.Status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
	default:
		return false
	}
	needs := a.w.needs
	needs.Model = a.model()
	return a.o.nodes.each(func(c Candidate) bool {
		return infeasible(needs, c) == "" && poolKey(c.NodeID, c.PoolID) != poolKey(a.l.nodeID, a.l.poolID)
	})
}

// FinishReasonUnknown is the code of a call whose answer is complete and has a finish_reason
// that is not in the list of successes.
const FinishReasonUnknown = "FINISH_REASON_UNKNOWN"

// succeeded reports whether a dispatch ended in success. For a native call the pool manager
// says so, which knows the engine's finish reasons.
func (a *attempt) succeeded(end nodeapi.Event) bool {
	if a.request != nil && a.request.Workload == Native {
		return a.call.end.Succeeded
	}
	return Succeeded(end.FinishReason)
}

func (a *attempt) unsuccessful() string {
	if a.request.Workload == Native {
		return FinishReasonUnknown
	}
	return "ENGINE_ERROR"
}

// countTokens counts the tokens of a call's answer.
func (a *attempt) countTokens(n int) {
	if n == 0 {
		return
	}
	m := a.o.metrics
	m.tokensOut.WithLabelValues(m.engines.value(a.l.engine), m.pools.value(a.l.poolID)).Add(float64(n))
}
