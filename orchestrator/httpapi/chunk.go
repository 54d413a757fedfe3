package httpapi

import (
	"bytes"
	"encoding/json"

	"github.com/llorch/gateway/orchestrator"
)

// chunkData gives the data of a chunk's event. Of server-sent events it is what they
// say; of other answers, and of the parts of a long event, the bytes as they are.
func chunkData(ev orchestrator.Event) []byte {
	c := orchestrator.ChunkData{Data: string(ev.Data), Part: ev.Type == orchestrator.EventPart}
	if body, ok := bytes.CutSuffix(ev.Data, []byte("\n\n")); ok && ev.Type != orchestrator.EventPart {
		c = orchestrator.ChunkData{}
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
