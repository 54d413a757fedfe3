package page

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

const (
	// maxEventData bounds the data of an event that is shown. The events with an answer
	// may be longer; their data are not read.
	maxEventData = 16 << 10
	// progressEvery is how often the number of answer events is sent.
	progressEvery = 250 * time.Millisecond
)

// shownEvents are the events of a task whose data are shown. Of all others, those with
// pieces of an answer among them, the number alone is.
var shownEvents = []string{"waiting", "started", "metrics", "gap", "end", "error", "canceled"}

// eventData are the members that are shown.
type eventData struct {
	Reason            string   `json:"reason,omitempty"`
	QueuePosition     *int     `json:"queue_position,omitempty"`
	PredictedStartMS  *int64   `json:"predicted_start_ms,omitempty"`
	QueueDepth        *int     `json:"queue_depth,omitempty"`
	OnTimeProbability *float64 `json:"on_time_probability,omitempty"`
	KVWarmth          *bool    `json:"kv_warmth,omitempty"`
	From              *uint64  `json:"from,omitempty"`
	To                *uint64  `json:"to,omitempty"`
	TokensIn          *int     `json:"tokens_in,omitempty"`
	TokensOut         *int     `json:"tokens_out,omitempty"`
	DecodeMS          *int64   `json:"decode_ms,omitempty"`
	FinishReason      string   `json:"finish_reason,omitempty"`
	Code              string   `json:"code,omitempty"`
	Engine            string   `json:"engine,omitempty"`
}

type taskEvent struct {
	Event string    `json:"event"`
	Data  eventData `json:"data"`
}

type progress struct {
	Pieces int `json:"pieces"` // of the answer
}

var problemUpstream = authmin.Problem{
	Status: http.StatusBadGateway, Code: "PAGE_UPSTREAM", CodeNumber: 50270,
	Title: "The orchestrator does not show this task", Hint: "It may have been forgotten, or belong to another identity. Reload the page.",
}

// taskEvents follows a task, in the caller's name.
func (p *Page) taskEvents(w http.ResponseWriter, r *http.Request, caller caddymodule.Caller, id string) error {
	leave, ok := p.readers.enter(caller.Name)
	if !ok {
		w.Header().Set("Retry-After", "10")
		authmin.WriteProblem(w, r, problemReaders)
		return nil
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), p.paces.life)
	defer cancel()
	answer, err := p.upstream.get(ctx, identityOf(r.Header), "/v2/tasks/"+id+"/events?verbose=true")
	if err != nil {
		authmin.WriteProblem(w, r, problemUpstream)
		return nil
	}
	defer answer.Body.Close()
	s := open(w, r, p.paces.slow, func() bool { return p.app.IsCurrent(caller) })
	defer s.close()
	f := &eventFilter{stream: s}
	_ = f.copy(answer.Body) // the task has ended, or the reader has left
	return nil
}

// eventFilter copies a task's stream without what the task says.
type eventFilter struct {
	*stream
	event  string
	data   []byte
	long   bool // the data are not kept
	pieces int
	told   time.Time // when the pieces were sent last
}

// copy reads to the end. Lines are read in pieces, so that an answer's long one takes no
// memory.
func (f *eventFilter) copy(body io.Reader) error {
	lines := bufio.NewReaderSize(body, maxEventData)
	for {
		line, err := lines.ReadSlice('\n')
		whole := err == nil
		if errors.Is(err, bufio.ErrBufferFull) {
			line = bytes.Clone(line)
			err = skipLine(lines)
		}
		if err != nil {
			return err
		}
		if err := f.line(bytes.TrimRight(line, "\r\n"), whole); err != nil {
			return err
		}
	}
}

// skipLine reads the rest of a line.
func skipLine(lines *bufio.Reader) error {
	for {
		if _, err := lines.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// line takes one line. Of one that is too long only the beginning is there.
func (f *eventFilter) line(line []byte, whole bool) error {
	name, value, _ := strings.Cut(string(line), ":")
	value = strings.TrimPrefix(value, " ")
	switch {
	case len(line) == 0:
		return f.dispatch()
	case name == "": // a comment
		return f.tell()
	case name == "event":
		f.event = value
	case name == "data" && (!whole || f.data != nil):
		f.long = true
	case name == "data":
		f.data = []byte(value)
	}
	return nil
}

// dispatch sends what an event may show.
func (f *eventFilter) dispatch() error {
	event, data, long := f.event, f.data, f.long
	f.event, f.data, f.long = "", nil, false
	if event == "" {
		return nil
	}
	if !slices.Contains(shownEvents, event) {
		f.pieces++
		if time.Since(f.told) < progressEvery {
			return nil
		}
		return f.tell()
	}
	if f.pieces > 0 {
		if err := f.tell(); err != nil {
			return err
		}
	}
	shown := taskEvent{Event: event}
	if !long {
		_ = json.Unmarshal(data, &shown.Data) // what cannot be read is not shown
	}
	cut(&shown.Data.Reason, &shown.Data.FinishReason, &shown.Data.Code, &shown.Data.Engine)
	return f.send("task", shown)
}

// tell sends how many pieces of the answer there are, and shows that the stream is alive.
func (f *eventFilter) tell() error {
	f.told = time.Now()
	if f.pieces == 0 {
		return f.alive()
	}
	return f.send("progress", progress{f.pieces})
}
