package httpapi

import (
	"bytes"
	"encoding/json"

	"github.com/llorch/gateway/orchestrator"
)

// chunkEvent is an event of an engine's stream, or a piece of its answer, as a task's
// own stream shows it.
type chunkEvent struct {
	Event string `json:"event,omitempty"` // as the engine names it
	Data  string `json:"data"`
}

// chunkData gives the data of a chunk's event. Of server-sent events it is what they
// say; of other answers, and of the parts of a long event, the bytes as they are.
func chunkData(ev orchestrator.Event) []byte {
	c := chunkEvent{Data: string(ev.Data)}
	if body, ok := bytes.CutSuffix(ev.Data, []byte("\n\n")); ok && ev.Type != orchestrator.EventPart {
		c = chunkEvent{}
		var data [][]byte
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
				c.Event = string(name)
			} else if text, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				data = append(data, text)
			}
		}
		c.Data = string(bytes.Join(data, []byte("\n")))
	}
	text, _ := json.Marshal(c) // two strings
	return text
}
