package client

import (
	"encoding/json"
	"fmt"
)

// EventType is the name of an event on the wire.
type EventType string

// The events of a dispatch stream: tokens, then exactly one end or error.
const (
	EventToken EventType = "token"
	EventEnd   EventType = "end"
	EventError EventType = "error"
)

// Event is one event of a dispatch stream. Which fields mean something depends
// on Type: Text and Index for a token; TokensIn, TokensOut, DecodeMS and
// FinishReason for the end; Code, Message and Engine for an error.
type Event struct {
	Type         EventType
	Text         string
	Index        int
	TokensIn     int
	TokensOut    int
	DecodeMS     int64
	FinishReason string
	Code         string
	Message      string
	Engine       string
}

type tokenData struct {
	T string `json:"t"`
	I int    `json:"i"`
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
}

// AppendSSE appends the event as it travels: an event line, a data line, an
// empty line. JSON escapes line breaks, so text cannot forge another event.
func (e Event) AppendSSE(dst []byte) ([]byte, error) {
	var data any
	switch e.Type {
	case EventToken:
		data = tokenData{e.Text, e.Index}
	case EventEnd:
		data = endData{e.TokensIn, e.TokensOut, e.DecodeMS, e.FinishReason}
	case EventError:
		data = errorData{e.Code, e.Message, e.Engine}
	default:
		return dst, fmt.Errorf("encoding an event: unknown type %q", e.Type)
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return dst, fmt.Errorf("encoding a %s event: %w", e.Type, err)
	}
	dst = append(dst, "event: "...)
	dst = append(dst, e.Type...)
	dst = append(dst, "\ndata: "...)
	dst = append(dst, encoded...)
	return append(dst, "\n\n"...), nil
}

// decodeEvent reads what AppendSSE wrote; known is false for an event of a
// newer version, which a reader skips.
func decodeEvent(kind string, data []byte) (event Event, known bool, err error) {
	event.Type = EventType(kind)
	switch event.Type {
	case EventToken:
		var d tokenData
		err = json.Unmarshal(data, &d)
		event.Text, event.Index = d.T, d.I
	case EventEnd:
		var d endData
		err = json.Unmarshal(data, &d)
		event.TokensIn, event.TokensOut = d.TokensIn, d.TokensOut
		event.DecodeMS, event.FinishReason = d.DecodeMS, d.FinishReason
	case EventError:
		var d errorData
		err = json.Unmarshal(data, &d)
		event.Code, event.Message, event.Engine = d.Code, d.Message, d.Engine
	default:
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, true, fmt.Errorf("decoding a %s event: %w", kind, err)
	}
	return event, true, nil
}
