package nodeapi

import (
	"encoding/json"
	"fmt"
	"time"
)

// EventType is the name of an event on the wire.
type EventType string

// The events of a dispatch stream: the tokens of a completion, one embedding or
// score for each input; then exactly one end or error.
const (
	EventToken     EventType = "token"
	EventEmbedding EventType = "embedding"
	EventScore     EventType = "score"
	EventEnd       EventType = "end"
	EventError     EventType = "error"
)

// Last reports whether nothing follows an event of this type.
func (t EventType) Last() bool { return t == EventEnd || t == EventError }

// Event is one event of a dispatch stream. Which fields mean something depends
// on Type: Text and Index for a token; Vector and the Index of its input for an
// embedding; Score and the Index of its input for a score; TokensIn, TokensOut,
// DecodeMS and FinishReason for the end; Code, Message, Engine and RetryAfterMS for
// an error. RetryAfterMS is how long a busy engine asked to wait, 0 when it did not
// say, and at most MaxRetryAfter.
type Event struct {
	Type         EventType
	Text         string
	Index        int
	Vector       []float32
	Score        float64
	TokensIn     int
	TokensOut    int
	DecodeMS     int64
	FinishReason string
	Code         string
	Message      string
	Engine       string
	RetryAfterMS int64
}

// MaxRetryAfter bounds what an engine may ask to be waited for: as long as the
// longest deadline of a task.
const MaxRetryAfter = 24 * time.Hour

type tokenData struct {
	T string `json:"t"`
	I int    `json:"i"`
}

type embeddingData struct {
	I         int       `json:"i"`
	Embedding []float32 `json:"embedding"`
}

type scoreData struct {
	I     int     `json:"i"`
	Score float64 `json:"score"`
}

type endData struct {
	TokensIn     int    `json:"tokens_in"`
	TokensOut    int    `json:"tokens_out"`
	DecodeMS     int64  `json:"decode_ms"`
	FinishReason string `json:"finish_reason"`
}

type errorData struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Engine  string `json:"engine"`
	Retry   int64  `json:"retry_after_ms,omitempty"`
}

// AppendSSE appends the event as it travels: an event line, a data line, an
// empty line. JSON escapes line breaks, so text cannot forge another event.
func (e Event) AppendSSE(dst []byte) ([]byte, error) {
	head := len(dst)
	dst = append(append(append(dst, "event: "...), e.Type...), "\ndata: "...)
	dst, err := e.appendData(dst)
	if err != nil {
		return dst[:head], err
	}
	return append(dst, "\n\n"...), nil
}

func (e Event) appendData(dst []byte) ([]byte, error) {
	var data any
	switch e.Type {
	case EventToken:
		return appendToken(dst, e.Text, e.Index)
	case EventEmbedding:
		if err := e.checkVector(); err != nil {
			return dst, err
		}
		data = embeddingData{e.Index, e.Vector}
	case EventScore:
		data = scoreData{e.Index, e.Score}
	case EventEnd:
		data = endData{e.TokensIn, e.TokensOut, e.DecodeMS, e.FinishReason}
	case EventError:
		data = errorData{e.Code, e.Message, e.Engine, e.RetryAfterMS}
	default:
		return dst, fmt.Errorf("encoding an event: unknown type %q", e.Type)
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return dst, fmt.Errorf("encoding a %s event: %w", e.Type, err)
	}
	return append(dst, encoded...), nil
}

// decodeEvent reads what AppendSSE wrote; known is false for an event of a
// newer version, which a reader skips.
func decodeEvent(kind string, data []byte) (event Event, known bool, err error) {
	event.Type = EventType(kind)
	switch event.Type {
	case EventToken:
		event.Text, event.Index, err = decodeToken(data)
	case EventEmbedding:
		var d embeddingData
		err = json.Unmarshal(data, &d)
		event.Index, event.Vector = d.I, d.Embedding
		if err == nil {
			err = event.checkVector()
		}
	case EventScore:
		var d scoreData
		err = json.Unmarshal(data, &d)
		event.Index, event.Score = d.I, d.Score
		if err == nil {
			err = event.checkIndex()
		}
	case EventEnd:
		var d endData
		err = json.Unmarshal(data, &d)
		event.TokensIn, event.TokensOut = d.TokensIn, d.TokensOut
		event.DecodeMS, event.FinishReason = d.DecodeMS, d.FinishReason
	case EventError:
		var d errorData
		err = json.Unmarshal(data, &d)
		event.Code, event.Message, event.Engine = d.Code, d.Message, d.Engine
		event.RetryAfterMS = min(max(0, d.Retry), MaxRetryAfter.Milliseconds())
	default:
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, true, fmt.Errorf("decoding a %s event: %w", kind, err)
	}
	return event, true, nil
}

// checkVector refuses an embedding that is empty or over MaxVector: its reader keeps
// every vector of a task in memory.
func (e Event) checkVector() error {
	if len(e.Vector) == 0 || len(e.Vector) > MaxVector {
		return fmt.Errorf("an embedding of %d numbers: want 1 to %d", len(e.Vector), MaxVector)
	}
	return e.checkIndex()
}

// checkIndex refuses an input that a task cannot have.
func (e Event) checkIndex() error {
	if e.Index < 0 || e.Index >= MaxInputs {
		return fmt.Errorf("an answer to input %d: want 0 to %d", e.Index, MaxInputs-1)
	}
	return nil
}
