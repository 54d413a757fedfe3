package orchestrator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// State is where a task is on its way. queued → running → completed, failed or
// canceled; back from running to queued when a node died before the first token.
type State string

// The states of a task.
const (
	Queued    State = "queued"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
	Canceled  State = "canceled"
)

// Ended reports whether nothing more will happen to the task.
func (s State) Ended() bool { return s == Completed || s == Failed || s == Canceled }

// TaskError is why a task failed.
type TaskError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Engine  string `json:"engine"`
	Status  int    `json:"status,omitempty" doc:"Of a native call: the HTTP status that says the same"`
	// EngineCode is shown to clients of the engine's protocol in place of Code.
	EngineCode string `json:"engine_code,omitempty" doc:"Of a native call: the engine's own code, where it named one"`
}

// Task is the record of a task as its owner sees it.
type Task struct {
	TaskID             string           `json:"task_id"`
	Owner              string           `json:"owner" doc:"The identity that made it"`
	SessionID          string           `json:"session_id"`
	CorrelationID      string           `json:"correlation_id,omitempty"`
	Traceparent        string           `json:"traceparent,omitempty" doc:"The trace that it belongs to, where traces are on"`
	State              State            `json:"state" enum:"queued,running,completed,failed,canceled"`
	Workload           string           `json:"workload"`
	Protocol           nodeapi.Protocol `json:"protocol,omitempty" doc:"Of a native call: whose request it is"`
	ModelRef           string           `json:"model_ref"`
	ModelUsed          string           `json:"model_used,omitempty" doc:"The fallback that it ran on, where the model of model_ref could not run"`
	Priority           Priority         `json:"priority"`
	Engine             string           `json:"engine,omitempty" doc:"The engine it ran on, or the one asked for"`
	NodeID             string           `json:"node_id,omitempty"`
	PoolID             string           `json:"pool_id,omitempty"`
	KVWarmth           bool             `json:"kv_warmth" doc:"It ran where its session's KV cache was"`
	MaxTokens          int              `json:"max_tokens"`
	Sampling           *Sampling        `json:"sampling,omitempty" doc:"Of determinism strict: what the engine was told beside the prompt"`
	Attempt            int              `json:"attempt" doc:"How often it was dispatched"`
	CreatedAt          time.Time        `json:"created_at"`
	DeadlineAt         time.Time        `json:"deadline_at"`
	StartedAt          *time.Time       `json:"started_at,omitempty"`
	FirstTokenAt       *time.Time       `json:"first_token_at,omitempty"`
	EndedAt            *time.Time       `json:"ended_at,omitempty"`
	TokensIn           int              `json:"tokens_in"`
	TokensOut          int              `json:"tokens_out"`
	TokensCachedIn     int              `json:"tokens_cached_in,omitempty" doc:"Of tokens_in, those that the engine had in its cache"`
	TokensReasoningOut int              `json:"tokens_reasoning_out,omitempty" doc:"Of tokens_out, those that were reasoning"`
	TokensEstimated    bool             `json:"tokens_estimated,omitempty" doc:"The engine's figures are not known: tokens_out is the number of its events"`
	DecodeMS           int64            `json:"decode_ms"`
	ResponseID         string           `json:"response_id,omitempty" doc:"Of a native call of the protocol responses: the id that the engine gave"`
	FinishReason       string           `json:"finish_reason,omitempty"`
	Error              *TaskError       `json:"error,omitempty"`
	Waiting            string           `json:"waiting,omitempty" doc:"Why no pool can run it now, while it waits"`
	LastEventID        uint64           `json:"last_event_id,omitempty" doc:"The id of the event that ended it"`

	runner          string // the replica that runs it
	mayShow         bool   // it may have shown tokens that this does not know of
	cancelRequested bool   // a cancel was requested; its runner ends it
	leap            uint64 // ids left out before the end, see resetLeap
	failure         string // why it failed, in words of ours, for the log of the replica that ended it
	content         content
}

// generates reports whether the task makes tokens of its own: an embedding does not.
func (t Task) generates() bool {
	return t.Workload == Completion || t.Workload == Native && t.Protocol != nodeapi.Embeddings && t.Protocol != nodeapi.RerankCalls
}

// mayHaveShown reports whether a token may have been seen.
func (t Task) mayHaveShown() bool { return t.FirstTokenAt != nil || t.mayShow }

// backToQueue is the change that has a task dispatched again.
func backToQueue(t *Task) {
	t.State, t.NodeID, t.PoolID, t.ModelUsed, t.runner, t.mayShow = Queued, "", "", "", "", false
}

// model is what the task ran on.
func (t Task) model() string { return cmp.Or(t.ModelUsed, t.ModelRef) }

// firstEventID is the newest id that events before the first token have.
func (t Task) firstEventID() uint64 {
	if t.StartedAt == nil {
		return 0
	}
	return 1 // the event started
}

// lastBeforeEnd is the newest id before the end that there ever was.
func (t Task) lastBeforeEnd() uint64 { return t.LastEventID - 1 - t.leap }

// record is what is stored: the task and, until it has ended, its request.
type record struct {
	Task
	Request         *TaskRequest `json:"request,omitempty"`
	Runner          string       `json:"runner,omitempty"`
	MayShow         bool         `json:"may_show,omitempty"`
	CancelRequested bool         `json:"cancel_requested,omitempty"`
	Leap            uint64       `json:"leap,omitempty"`
	Content         content      `json:"content,omitzero"`
	// Attribution is that of a call whose content is encrypted: what places a task reads it,
	// and has no need of the content. It is a hash, see attribution.
	Attribution string `json:"attribution,omitempty"`
	// Models are those that the task may fall back to, as the gateway writes them: empty for
	// none, nil for every model.
	Models *string `json:"models,omitempty"`
}

// encode gives the stored form: one line of JSON, and after it the content of the request,
// if that is encrypted. A replica of an older version cannot read such a record, and
// leaves it alone. HTML escaping would make a record up to six
// times as large as the body it came from.
func (r record) encode() ([]byte, error) {
	r.Runner, r.MayShow, r.CancelRequested, r.Leap, r.Content = r.runner, r.mayShow, r.cancelRequested, r.leap, r.content
	r.Attribution, r.Models = "", nil // an ended task has no place for them
	if r.Request != nil && r.Request.models != nil {
		list := r.Request.models.String()
		r.Models = &list
	}
	var sealed []byte
	switch {
	case r.Request == nil:
	case r.Request.sealed != nil:
		r.Attribution = r.Request.attribution()
		sealed, r.Request = r.Request.sealed, r.Request.withoutContent()
	case r.Request.call != nil:
		var err error
		if r.Request, err = r.Request.withCallAsPrompt(); err != nil {
			return nil, err
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("encoding task %s: %w", r.TaskID, err)
	}
	buf.Write(sealed)
	if buf.Len() > store.MaxRecordBytes {
		return nil, fail(TooLarge, "TASK_TOO_LARGE", "the task's record is over %d bytes", store.MaxRecordBytes)
	}
	return buf.Bytes(), nil
}

func decodeRecord(value []byte) (record, error) {
	var r record
	line, sealed, _ := bytes.Cut(value, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil {
		return record{}, fmt.Errorf("decoding task record: %w", err)
	}
	if r.Request != nil {
		r.Request.models = modelsOf(r.Models)
	}
	r.runner, r.mayShow, r.cancelRequested, r.leap, r.content = r.Runner, r.MayShow, r.CancelRequested, r.Leap, r.Content
	switch {
	case r.Request == nil:
	case len(sealed) > 0:
		r.Request.sealed, r.Request.bare, r.Request.content = sealed, true, r.content
		r.Request.sealedProtocol, r.Request.sealedAttribution = r.Protocol, r.Attribution
	case r.Request.Workload == Native:
		if err := r.Request.callFromPrompt(); err != nil {
			return record{}, err
		}
		r.content, r.Protocol = r.Request.content, r.Request.protocol()
	}
	return r, nil
}

// modelsOf reads the models of a record. A list that cannot be read allows none.
func modelsOf(list *string) *authmin.Models {
	if list == nil {
		return nil
	}
	models, err := authmin.ParseModels(*list)
	if err != nil {
		return new(authmin.Models)
	}
	return models
}

// terminal gives the one event that ends the task's stream.
func (t Task) terminal() Event {
	switch t.State {
	case Canceled:
		return newEvent(t.LastEventID, EventCanceled, canceledData{})
	case Failed:
		return newEvent(t.LastEventID, EventError, t.Error)
	default:
		return newEvent(t.LastEventID, EventEnd, endData{t.TokensIn, t.TokensOut, t.DecodeMS, t.FinishReason})
	}
}
