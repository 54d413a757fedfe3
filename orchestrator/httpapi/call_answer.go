package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxHeld is how much of an answer that is not streamed is kept in memory until its end
// is known; a longer one is read again then.
const maxHeld = 256 << 10

// callAnswer answers one native call with what its task's events say. The status waits
// for the engine's, as long as it may; after that every failure is an event.
type callAnswer struct {
	a       *API
	w       http.ResponseWriter
	r       *http.Request
	dialect dialect
	reader  *orchestrator.Reader
	taskID  string
	stream  bool
	after   uint64 // events up to this one are left out; of an answer of lines, so many lines
	ids     bool   // events have their ids

	head  *orchestrator.AnswerData // how the engine's answer begins; nil: it has not
	out   *backend.Stream          // nil: the status is not decided
	held  []byte                   // still to be written: a whole answer, or an error's body
	size  int64                    // of the answer so far, held or not
	last  []byte                   // the event that says that the answer is whole
	lines uint64                   // that have come whole
	piece []byte                   // what is written now
	open  bool                     // an event is written in part
	again bool                     // the caller does not read on, or was told to send it again
}

// run answers until the task ends. An error is the answer if it has not begun.
func (c *callAnswer) run(ctx context.Context) error {
	commit := time.Now().Add(c.a.opts.Commit)
	for {
		wait := c.a.opts.Heartbeat
		if c.stream && c.out == nil {
			wait = min(wait, max(time.Until(commit), time.Millisecond))
		}
		events, err := c.reader.Wait(ctx, wait)
		if err != nil {
			return c.fail(ctx, c.failure(ctx, err))
		}
		if len(events) == 0 && c.stream {
			if err := c.idle(commit); err != nil {
				return nil // the client has left, or does not read
			}
		}
		for _, ev := range events {
			if ev.Type.Terminal() {
				return c.end(ctx, ev)
			}
			if err := c.take(ev); err != nil {
				return c.fail(ctx, c.failure(ctx, err))
			}
		}
		if err := c.flush(); err != nil {
			return nil
		}
	}
}

// idle keeps the connection, or opens the stream when the engine takes its time.
func (c *callAnswer) idle(commit time.Time) error {
	if c.out == nil {
		if time.Now().Before(commit) {
			return nil
		}
		c.begin(c.usual())
		return c.out.Open()
	}
	if c.open || c.dialect.alive == nil {
		return nil
	}
	return c.out.Alive()
}

// begin decides for 200 and a stream. The header goes with what is written first.
func (c *callAnswer) begin(head *orchestrator.AnswerData) {
	c.out = backend.NewStreamOf(c.w, head.ContentType, c.dialect.alive, c.a.opts.SlowReader)
	answerHeader(c.w.Header(), head)
}

// usual is the beginning of an answer before the engine has sent its own.
func (c *callAnswer) usual() *orchestrator.AnswerData {
	return &orchestrator.AnswerData{CallHead: nodeapi.CallHead{Status: http.StatusOK, ContentType: c.dialect.contentType}}
}

// answerHeader sets the header of an engine's answer. X-Model-Used is there when, and
// only when, a fallback answers; once the header is sent, the task's record has it alone.
func answerHeader(h http.Header, head *orchestrator.AnswerData) {
	h.Set("Content-Type", head.ContentType)
	h.Set("Content-Security-Policy", "sandbox")
	if head.ModelUsed != "" {
		h.Set("X-Model-Used", head.ModelUsed)
	}
	for name, value := range head.Header {
		if nodeapi.TravelsWithAnswer(name) {
			h.Set(name, value)
		}
	}
}

// take takes one event that is not the last.
func (c *callAnswer) take(ev orchestrator.Event) error {
	switch ev.Type {
	case orchestrator.EventGap:
		return errGap
	case orchestrator.EventAnswer:
		c.head = &orchestrator.AnswerData{}
		return json.Unmarshal(ev.Data, c.head)
	case orchestrator.EventLast:
		c.last = ev.Data
	case orchestrator.EventPart, orchestrator.EventChunk:
		c.size += int64(len(ev.Data))
		switch {
		case c.head == nil:
			return errGap
		case c.streams() && c.known(ev):
		case c.streams():
			c.piece = append(c.piece, c.identified(ev)...)
			c.open = ev.Type == orchestrator.EventPart
		case c.size <= maxHeld:
			c.held = append(c.held, ev.Data...)
		default:
			c.held = nil
		}
	}
	return nil
}

// known reports whether the caller has the event already. What is streamed as lines has
// no ids: there a caller counts.
func (c *callAnswer) known(ev orchestrator.Event) bool {
	if c.dialect.protocol != nodeapi.Ollama {
		return ev.ID <= c.after
	}
	known := c.lines < c.after
	if ev.Type == orchestrator.EventChunk {
		c.lines++
	}
	return known
}

// streams reports whether each event is written when it arrives.
func (c *callAnswer) streams() bool { return c.stream && c.accepted() }

// accepted reports whether the engine has begun an answer with a status of success.
func (c *callAnswer) accepted() bool { return c.head.Status/100 == 2 }

// identified gives an event's bytes, with its id for a caller that may come back.
func (c *callAnswer) identified(ev orchestrator.Event) []byte {
	body, complete := bytes.CutSuffix(ev.Data, []byte("\n\n"))
	if !c.ids || !complete || c.dialect.protocol == nodeapi.Ollama || ev.Type == orchestrator.EventPart {
		return ev.Data
	}
	out := append(make([]byte, 0, len(ev.Data)+24), body...)
	return append(strconv.AppendUint(append(out, "\nid: "...), ev.ID, 10), "\n\n"...)
}

// flush writes what has come.
func (c *callAnswer) flush() error {
	if len(c.piece) == 0 {
		return nil
	}
	if c.out == nil {
		c.begin(c.head)
	}
	err := c.out.Write(c.piece)
	c.piece = c.piece[:0]
	if err != nil {
		c.again = true
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.reader.Cut()
	}
	return err
}

// end answers what the end of the task means.
func (c *callAnswer) end(ctx context.Context, ev orchestrator.Event) error {
	whole := ev.Type == orchestrator.EventEnd
	var failed orchestrator.TaskError
	if ev.Type == orchestrator.EventError {
		if err := json.Unmarshal(ev.Data, &failed); err != nil {
			return err
		}
		whole = failed.Code == orchestrator.FinishReasonUnknown // complete, with an unknown finish_reason
	}
	switch {
	case whole && c.stream:
		if c.dialect.protocol != nodeapi.Ollama || c.lines >= c.after {
			c.piece = append(c.piece, c.last...)
		}
		if c.head == nil {
			c.head = c.usual()
		}
		if len(c.piece) == 0 && c.out == nil {
			c.begin(c.head)
			_ = c.out.Open()
			return nil
		}
		_ = c.flush()
		return nil
	case whole:
		return c.whole(ctx)
	case c.head != nil && !c.accepted() && c.out == nil: // the engine's own refusal
		answerHeader(c.w.Header(), c.head)
		c.respond(c.head.Status, c.held)
		return nil
	}
	return c.fail(ctx, problemOf(ev, failed))
}

// whole answers with an answer that is not streamed.
func (c *callAnswer) whole(ctx context.Context) error {
	if c.head == nil {
		return c.failure(ctx, errGap)
	}
	answerHeader(c.w.Header(), c.head)
	if c.size <= maxHeld {
		c.respond(http.StatusOK, append(c.held, c.last...))
		return nil
	}
	reader, err := c.a.o.Follow(who(ctx), c.taskID, 0)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Length", strconv.FormatInt(c.size+int64(len(c.last)), 10))
	out := backend.NewStreamOf(c.w, c.head.ContentType, nil, c.a.opts.SlowReader)
	for {
		events, err := reader.Next(ctx)
		if err != nil {
			panic(http.ErrAbortHandler) // what is cut must not look whole
		}
		for _, ev := range events {
			switch {
			case ev.Type == orchestrator.EventGap:
				panic(http.ErrAbortHandler)
			case ev.Type.Terminal():
				return nil
			case ev.Type.Raw() && out.Write(ev.Data) != nil:
				return nil
			}
		}
	}
}

func (c *callAnswer) respond(status int, body []byte) {
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// fail answers with a problem, or with the protocol's event for it.
func (c *callAnswer) fail(ctx context.Context, p *Problem) error {
	if c.out == nil {
		c.again = c.again || ctx.Err() != nil
		return p
	}
	if c.open { // an event that was begun cannot be taken back
		panic(http.ErrAbortHandler)
	}
	p.CorrelationID, p.EngineStatus = authmin.CorrelationID(ctx), p.Status
	_ = c.flush()
	_ = c.out.Write(c.dialect.failure(p))
	return nil
}

// errGap is an answer that cannot be given whole any more.
var errGap = errors.New("some of the task's events are gone")

// failure says why the events cannot be read any more.
func (c *callAnswer) failure(ctx context.Context, err error) *Problem {
	switch {
	case errors.Is(err, errGap):
		return forGood(newProblem(http.StatusConflict, "RESULT_EXPIRED", "the answer of this call is no longer kept; send it with another Idempotency-Key"))
	case errors.Is(err, orchestrator.ErrStopping):
		c.again = true
		p := newProblem(http.StatusServiceUnavailable, "STOPPING", "the orchestrator is stopping; send it again")
		p.Header.Set("Retry-After", "1") // another replica takes it, or this one after its restart
		return p
	}
	c.a.unreadable(ctx, c.taskID, err)
	return newProblem(http.StatusInternalServerError, "INTERNAL", "a defect; the log has it under this correlation_id")
}

// problemOf is the answer to a task that has failed or was canceled.
func problemOf(ev orchestrator.Event, failed orchestrator.TaskError) *Problem {
	if ev.Type == orchestrator.EventCanceled {
		return forGood(newProblem(http.StatusConflict, "CANCELED", "the task was canceled"))
	}
	status := failed.Status
	switch {
	case status != 0:
	case failed.Code == "ENGINE_BUSY":
		status = http.StatusServiceUnavailable
	case failed.Code == "DEADLINE_EXCEEDED":
		status = http.StatusGatewayTimeout
	default:
		status = http.StatusBadGateway
	}
	p := newProblem(status, failed.Code, failed.Message)
	p.EngineCode, p.SDKCode = failed.EngineCode, cmp.Or(failed.EngineCode, p.SDKCode)
	return forGood(p)
}
