package poolmanager

import (
	"context"
	"errors"
	"net/http"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// aliveFrame keeps a call's connection while its engine loads or computes.
var aliveFrame = func() []byte {
	frame, err := nodeapi.AppendFrame(nil, nodeapi.FrameAlive, nil)
	if err != nil {
		panic(err) // an empty payload fits
	}
	return frame
}()

// keepAlive keeps the answer alive from when the request is here until the returned
// function is called. Before that an answer would end the request of a caller behind a
// proxy that does not take both at once.
func keepAlive(out *backend.Stream, body *callBody) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-quit:
			return
		case <-body.whole:
		}
		stop := out.KeepAlive(commentEvery)
		<-quit
		stop()
	}()
	return func() { close(quit); <-ended }
}

// endCallWithError tells a caller that is still there why its call ended: by status
// while the answer has not begun and the request itself is wrong, else by a frame.
func (a *api) endCallWithError(w http.ResponseWriter, r *http.Request, out *backend.Stream, n *nativeCall, err error, end nodeapi.CallEnd) {
	if errors.Is(err, errBodyGone) {
		return
	}
	if !n.body.isWhole() {
		n.body.drain()
	}
	if refused := n.body.refused(); refused != nil && !out.Opened() {
		a.WriteProblem(w, r, a.refuse(r.Context(), refused))
		return
	}
	failure := nodeapi.CallError{
		Code: string(adapter.ClassReset), Message: "the task was ended", Engine: n.slot.pool.wanted().template.Engine,
		TokensIn: end.TokensIn, TokensOut: end.TokensOut,
	}
	failed, ok := errors.AsType[*adapter.Error](err)
	switch {
	case ok:
		failure.Code, failure.Message, failure.RetryAfterMS = string(failed.Class), failed.Message, failed.RetryAfter.Milliseconds()
		if own := failed.Response; own != nil {
			failure.Status, failure.ContentType, failure.Header, failure.Body = own.Status, own.ContentType, own.Header, own.Body
		}
	case errors.Is(err, context.Canceled):
		return // the caller hung up
	case errors.Is(err, errMember), errors.Is(err, errBody), errors.Is(err, errTask):
		p := problemOf(err)
		failure.Code, failure.Message, failure.Status = p.Code, p.Hint, p.Status
	default:
		a.env.log.WarnContext(r.Context(), "call ended", "error", err)
	}
	if frames, err := nodeapi.AppendJSONFrame(nil, nodeapi.FrameError, failure); err == nil {
		// A failed write means that the caller is gone.
		_ = out.Write(frames)
	}
}
