package orchestrator

import (
	"encoding/json"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// EventType is the name of an event in a task's stream.
type EventType string

// The events of a task. End, Error and Canceled are terminal: a stream has
// exactly one of them, and it is the last.
const (
	EventWaiting   EventType = "waiting" // why no pool can run the task now; of a reader's own
	EventStarted   EventType = "started"
	EventToken     EventType = "token"
	EventEmbedding EventType = "embedding" // of one input
	EventScore     EventType = "score"     // of one document
	EventAnswer    EventType = "answer"    // of a native call: how the engine's answer begins
	EventPart      EventType = "part"      // of a native call: the beginning of a chunk that is too long for one event
	EventChunk     EventType = "chunk"     // of a native call: an event of its stream, or a piece of its answer
	EventLast      EventType = "last"      // of a native call: the chunk that says that the answer is whole
	EventMetrics   EventType = "metrics"   // only for readers that ask for verbose
	EventGap       EventType = "gap"       // events that can no longer be had
	EventEnd       EventType = "end"
	EventError     EventType = "error"
	EventCanceled  EventType = "canceled"
)

// Terminal reports whether the event ends its stream.
func (t EventType) Terminal() bool {
	return t == EventEnd || t == EventError || t == EventCanceled
}

// EventTypes lists the events in the order in which they can come. What is raw is a
// chunk to a reader of the task's own stream.
func EventTypes() []EventType {
	return []EventType{EventWaiting, EventStarted, EventToken, EventEmbedding, EventScore, EventAnswer, EventChunk, EventMetrics, EventGap, EventEnd, EventError, EventCanceled}
}

// Raw reports whether the event's data is bytes of an engine's answer, not JSON.
func (t EventType) Raw() bool { return t == EventPart || t == EventChunk || t == EventLast }

// Shape gives an empty value of the type that the event's data has.
func (t EventType) Shape() any {
	switch t {
	case EventWaiting:
		return waitingData{}
	case EventStarted:
		return startedData{}
	case EventToken:
		return TokenData{}
	case EventEmbedding:
		return EmbeddingData{}
	case EventScore:
		return ScoreData{}
	case EventAnswer:
		return AnswerData{}
	case EventPart, EventChunk, EventLast:
		return ChunkData{}
	case EventMetrics:
		return metricsData{}
	case EventGap:
		return gapData{}
	case EventEnd:
		return endData{}
	case EventError:
		return TaskError{}
	}
	return canceledData{}
}

// Event is one step of a task. Ids begin at 1 and go up by one. Data is JSON, but where
// the type is Raw.
type Event struct {
	ID   uint64          `json:"id"`
	Type EventType       `json:"type"`
	Data json.RawMessage `json:"data"`
}

type waitingData struct {
	Reason string `json:"reason"`
}

type startedData struct {
	QueuePosition    int   `json:"queue_position"`
	PredictedStartMS int64 `json:"predicted_start_ms"`
}

// TokenData is the data of a token event.
type TokenData struct {
	Text  string `json:"t"`
	Index int    `json:"i"`
}

// EmbeddingData is the data of an embedding event: the vector of one input.
type EmbeddingData struct {
	Index  int       `json:"i"`
	Vector []float32 `json:"embedding" nullable:"false"`
}

// ScoreData is the data of a score event: how well one document fits the query.
type ScoreData struct {
	Index int     `json:"i"`
	Score float64 `json:"score"`
}

// AnswerData is the data of an answer event: how the engine's answer begins.
type AnswerData struct {
	nodeapi.CallHead
	ModelUsed string `json:"model_used,omitempty" doc:"The fallback that answers, where the model asked for could not run"`
}

// ChunkData is an event of an engine's stream, or a piece of its answer, as a task's own
// stream shows it.
type ChunkData struct {
	Event string `json:"event,omitempty"` // as the engine names it
	Data  string `json:"data"`
	Part  bool   `json:"part,omitempty" doc:"The next chunk is more of the same event"`
}

type endData struct {
	TokensIn     int    `json:"tokens_in"`
	TokensOut    int    `json:"tokens_out"`
	DecodeMS     int64  `json:"decode_ms"`
	FinishReason string `json:"finish_reason"`
}

type metricsData struct {
	QueueDepth            int      `json:"queue_depth"`
	OnTimeProbability     *float64 `json:"on_time_probability,omitempty"` // none before anything has ended
	TokensBudgetRemaining int      `json:"tokens_budget_remaining"`
	KVWarmth              bool     `json:"kv_warmth"`
}

// Metrics gives a metrics event for a reader that has seen some tokens. It is
// made for this reader alone and repeats the id of the event it follows, so
// that resuming after it misses nothing.
func (r *Reader) Metrics(after uint64, tokens int) Event {
	task := r.e.view()
	depth := r.o.queue.depth(Interactive) + r.o.queue.depth(Batch)
	return newEvent(after, EventMetrics, metricsData{depth, r.o.scheduler.pace.onTime(), max(0, task.MaxTokens-tokens), task.KVWarmth})
}

type canceledData struct{}

type gapData struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}
