package httpapi

import (
	"cmp"
	"encoding/json"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// dialect is what is added to the answers of one protocol: what SDKs of it expect.
type dialect struct {
	protocol    nodeapi.Protocol
	contentType string // of a stream, where the engine has not begun yet
	alive       []byte // keeps the connection; nil: nothing can be added
}

// A comment is one line: openai-go takes a comment and an empty line for an event
// without data.
var comment = []byte(": alive\n")

func dialectOf(op nodeapi.Operation) dialect {
	switch op.Protocol {
	case nodeapi.Messages:
		return dialect{op.Protocol, sseType, []byte("event: ping\ndata: {\"type\":\"ping\"}\n\n")}
	case nodeapi.Ollama:
		return dialect{op.Protocol, "application/x-ndjson", nil}
	}
	return dialect{op.Protocol, sseType, comment}
}

const sseType = "text/event-stream; charset=utf-8"

// failure is the event that ends a stream which is not whole.
func (d dialect) failure(p *Problem) []byte {
	switch d.protocol {
	case nodeapi.Messages:
		return append(append([]byte("event: error\ndata: "), backend.ProblemBody(authmin.DialectAnthropic, p)...), "\n\n"...)
	case nodeapi.Responses:
		text, _ := json.Marshal(map[string]any{"type": "error", "code": cmp.Or(p.SDKCode, p.Code), "message": p.Hint, "param": nil, "engine_status": p.Status, "sequence_number": 0})
		return append(append([]byte("event: error\ndata: "), text...), "\n\n"...)
	case nodeapi.Ollama:
		return append(backend.ProblemBody(authmin.DialectOllama, p), '\n')
	}
	return append(append([]byte("data: "), backend.ProblemBody(authmin.DialectOpenAI, p)...), "\n\n"...)
}
