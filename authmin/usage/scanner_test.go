package usage

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read is what a scanner says of an answer that is written in pieces of a size.
func read(contentType, answer string, size int) (Figures, int64) {
	s := NewScanner(contentType)
	for len(answer) > size {
		_, _ = s.Write([]byte(answer[:size])) // it never fails
		answer = answer[size:]
	}
	_, _ = s.Write([]byte(answer))
	s.Close()
	return s.Figures(), s.Seen()
}

const (
	typeEvents = "text/event-stream; charset=utf-8"
	typeLines  = "application/x-ndjson"
	typeJSON   = "application/json"
)

// The shapes are those that the engines of ../../integration/clients/testdata send.
var answers = map[string]struct {
	contentType, answer string
	want                Figures
	seen                int64
}{
	"chat": {typeJSON, `{"id":"c","model":"m","choices":[{"message":{"role":"assistant","content":"{\"usage\":{\"prompt_tokens\":9}}"}}],
		"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":7}}}`,
		Figures{12, 34, 5, 7, true, "m"}, 34},
	"chat, streamed": {typeEvents, `data: {"model":"m","choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}` + "\n\n" +
		`data: {"model":"m","choices":[{"delta":{"content":"a"}}]}` + "\n\n" + `data: {"model":"m","choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}` + "\n\n" +
		`data: {"model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n" + `data: {"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n\ndata: [DONE]\n\n",
		Figures{3, 4, 0, 0, true, "m"}, 4},
	"chat, streamed without usage": {typeEvents, strings.Repeat(`data: {"model":"m","choices":[{"delta":{"content":"a"}}]}`+"\n\n", 5) + "data: [DONE]\n\n", Figures{Model: "m"}, 5},
	"figures in each event": {typeEvents, `data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\n" +
		`data: {"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}` + "\n\n", Figures{3, 2, 0, 0, true, ""}, 2},
	"SGLang": {typeJSON, `{"model":"m","usage":{"prompt_tokens":1,"completion_tokens":9,"reasoning_tokens":4,"prompt_tokens_details":null}}`, Figures{1, 9, 0, 4, true, "m"}, 9},
	"responses": {typeJSON, `{"object":"response","model":"m","output":[],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":3}}}`,
		Figures{5, 6, 2, 3, true, "m"}, 6},
	"responses, streamed": {typeEvents, "event: response.created\ndata: " + `{"type":"response.created","response":{"model":"m","usage":null}}` + "\n\n" +
		"event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","delta":"a"}` + "\n\n" +
		"event: response.output_text.done\ndata: " + `{"type":"response.output_text.done","text":"a"}` + "\n\n" +
		"event: response.completed\ndata: " + `{"type":"response.completed","response":{"model":"m","output":[{"content":[{"text":"a"}]}],"usage":{"input_tokens":5,"output_tokens":1}}}` + "\n\n",
		Figures{5, 1, 0, 0, true, "m"}, 1},
	"messages": {typeJSON, `{"type":"message","model":"m","content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,"output_tokens":7}}`,
		Figures{10, 7, 3, 0, true, "m"}, 7},
	"messages, streamed": {typeEvents, "event: message_start\ndata: " + `{"type":"message_start","message":{"model":"m","usage":{"input_tokens":5,"output_tokens":1}}}` + "\n\n" +
		"event: ping\ndata: " + `{"type":"ping"}` + "\n\n" + "event: content_block_delta\ndata: " + `{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}` + "\n\n" +
		"event: message_delta\ndata: " + `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":2,"cache_read_input_tokens":3,"output_tokens":7}}` + "\n\n",
		Figures{5, 7, 3, 0, true, "m"}, 7},
	"a message that began": {typeEvents, `data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":5,"output_tokens":1}}}` + "\n\n", Figures{5, 1, 0, 0, false, "m"}, 1},
	"Ollama":               {typeJSON, `{"model":"m","message":{"role":"assistant","content":"a"},"done":true,"prompt_eval_count":4,"eval_count":2}`, Figures{4, 2, 0, 0, true, "m"}, 2},
	"Ollama, streamed": {typeLines, `{"model":"m","message":{"content":"a"},"done":false}` + "\n" + `{"model":"m","response":"b","done":false}` + "\n" +
		`{"model":"m","message":{"content":""},"done":true,"prompt_eval_count":4,"eval_count":2}` + "\n", Figures{4, 2, 0, 0, true, "m"}, 2},
	"Ollama, without the last line end": {typeLines, `{"done":true,"prompt_eval_count":4,"eval_count":2}`, Figures{4, 2, 0, 0, true, ""}, 2},
	"embeddings":                        {typeJSON, `{"object":"list","data":[{"embedding":[0.1,-2e5]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}`, Figures{8, 0, 0, 0, true, "m"}, 0},
	"rerank":                            {typeJSON, `{"model":"m","usage":{"total_tokens":56},"results":[]}`, Figures{56, 0, 0, 0, true, "m"}, 0},

	"carriage returns":                  {typeEvents, "data: {\"usage\":{\"prompt_tokens\":3,\rdata:\"completion_tokens\":4}}\r\rdata: [DONE]\r\r", Figures{3, 4, 0, 0, true, ""}, 4},
	"carriage returns and line feeds":   {typeEvents, "data: {\"usage\":{\"prompt_tokens\":3,\r\ndata:\"completion_tokens\":4}}\r\n\r\n", Figures{3, 4, 0, 0, true, ""}, 4},
	"a byte order mark":                 {typeEvents, "\ufeffdata: {\"usage\":{\"prompt_tokens\":3}}\n\n", Figures{3, 0, 0, 0, true, ""}, 0},
	"no end of the last event":          {typeEvents, "data: {\"usage\":{\"prompt_tokens\":3}}", Figures{3, 0, 0, 0, true, ""}, 0},
	"other fields":                      {typeEvents, ":data: {\n: c\nid: 7\ndatum: {\ndata: {\"usage\":{\"prompt_tokens\":3}}\nretry: 1\n\n", Figures{3, 0, 0, 0, true, ""}, 0},
	"an event that is cut":              {typeEvents, "data: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: {\"usage\":{\"prompt_tokens\":9", Figures{3, 4, 0, 0, true, ""}, 4},
	"an event that is not JSON":         {typeEvents, "data: {\"usage\":{\"prompt_tokens\":3}}\n\ndata: {\"usage\":{\"prompt_tokens\":9},}\n\n", Figures{3, 0, 0, 0, true, ""}, 0},
	"text that is not UTF-8":            {typeEvents, "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\ndata: {\"usage\":{\"prompt_tokens\":3}}\n\n", Figures{3, 0, 0, 0, true, ""}, 0},
	"events in a JSON answer":           {typeJSON, "data: {\"usage\":{\"prompt_tokens\":3}}\n\n", Figures{}, 0},
	"another type":                      {"text/plain", `{"usage":{"prompt_tokens":3}}`, Figures{}, 0},
	"no type":                           {"", `{"usage":{"prompt_tokens":3}}`, Figures{}, 0},
	"a type with a suffix":              {"application/vnd.x+json", `{"usage":{"prompt_tokens":3}}`, Figures{3, 0, 0, 0, true, ""}, 0},
	"a type in capitals, wrongly ended": {"Application/JSON; charset", `{"usage":{"prompt_tokens":3}}`, Figures{3, 0, 0, 0, true, ""}, 0},
}

func TestAnswers(t *testing.T) {
	for name, c := range answers {
		for size := 1; size <= len(c.answer); size++ {
			if got, seen := read(c.contentType, c.answer, size); got != c.want || seen != c.seen {
				t.Errorf("%s, in pieces of %d: seen %d, want %d (-want +got):\n%s", name, size, seen, c.seen, cmp.Diff(c.want, got))
				break
			}
		}
	}
}

// hostile are values that are no figure, or a usage that could be read in two ways. The
// answer is then unreported.
var hostile = map[string]string{
	"a string":                `{"usage":{"prompt_tokens":3,"completion_tokens":"4"}}`,
	"negative":                `{"usage":{"prompt_tokens":-3,"completion_tokens":4}}`,
	"a fraction":              `{"usage":{"prompt_tokens":3.5,"completion_tokens":4}}`,
	"too large":               `{"usage":{"prompt_tokens":3,"completion_tokens":1099511627777}}`,
	"larger than an int64":    `{"usage":{"prompt_tokens":3,"completion_tokens":18446744073709551617}}`,
	"1e13":                    `{"usage":{"prompt_tokens":3,"completion_tokens":1e13}}`,
	"4,000 digits":            `{"usage":{"prompt_tokens":` + strings.Repeat("1", 4000) + `}}`,
	"NaN":                     `{"usage":{"prompt_tokens":NaN,"completion_tokens":4}}`,
	"an array":                `{"usage":{"prompt_tokens":[3],"completion_tokens":4}}`,
	"true":                    `{"usage":{"prompt_tokens":true}}`,
	"a sum that is too large": `{"usage":{"input_tokens":1099511627776,"cache_read_input_tokens":1}}`,
	"a member twice":          `{"usage":{"prompt_tokens":3,"prompt_tokens":4}}`,
	"usage twice":             `{"usage":{"prompt_tokens":3},"usage":{"prompt_tokens":4}}`,
	"usage in capitals":       `{"usage":{"prompt_tokens":3},"Usage":{"prompt_tokens":4}}`,
	"an escaped second one":   `{"usage":{"prompt_tokens":3},"us\u0061ge":{"prompt_tokens":4}}`,
	"an escaped member twice": `{"usage":{"prompt_tokens":3,"prompt\u005ftokens":4}}`,
	"deep after it":           `{"usage":{"prompt_tokens":3},"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
	"deep before it":          `{"x":` + strings.Repeat(`{"usage":`, 200) + "1" + strings.Repeat("}", 200) + `,"usage":{"prompt_tokens":3}}`,
	"an array around it":      `[{"usage":{"prompt_tokens":3}}]`,
	"only in a string":        `{"x":"{\"usage\":{\"prompt_tokens\":3}}","usage":"{\"prompt_tokens\":3}"}`,
	"in a place that is none": `{"choices":[{"usage":{"prompt_tokens":3}}],"delta":{"usage":{"prompt_tokens":3}},"prompt_tokens":3,"usage":[{"prompt_tokens":3}],"usage.prompt_tokens":3}`,
	"null":                    `{"usage":{"prompt_tokens":null,"completion_tokens":null}}`,
	"empty":                   `{"usage":{}}`,
}

func TestHostileFiguresAreUnreported(t *testing.T) {
	const good = `{"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	for name, answer := range hostile {
		for size := range min(len(answer), 300) {
			if got, _ := read(typeJSON, answer, size+1); got != (Figures{}) {
				t.Errorf("%s: got %+v, want none", name, got)
				break
			}
		}
		if strings.HasPrefix(answer, "[") || !strings.Contains(answer, "tokens") {
			continue
		}
		// In a stream, what could be read in two ways is not repaired by a good event.
		got, _ := read(typeEvents, "data: "+answer+"\n\ndata: "+good+"\n\n", 1000)
		bad := name != "NaN" && name != "null" && name != "only in a string" && name != "in a place that is none" && name != "a sum that is too large"
		if bad && got != (Figures{}) || !bad && !got.Reported {
			t.Errorf("%s, before an event with figures: got %+v, want none: %v", name, got, bad)
		}
	}
}

func TestNumbersInOtherForms(t *testing.T) {
	got, _ := read(typeJSON, `{"usage":{"prompt_tokens":1e3,"completion_tokens":20.0}}`, 1)
	if want := (Figures{Input: 1000, Output: 20, Reported: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Seen grows while a stream runs.
func TestSeenGrows(t *testing.T) {
	s := NewScanner(typeEvents)
	for i := range int64(10) {
		if s.Seen() != i {
			t.Errorf("seen %d after %d events", s.Seen(), i)
		}
		_, _ = s.Write([]byte(`data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n"))
	}
}

// Event reads one event at a time.
func TestEvent(t *testing.T) {
	for _, c := range []struct {
		contentType, stream string
		want                []string // without what is left at the end
	}{
		{typeEvents, "data: a\n\n: x\n\ndata: b\r\n\r\nx\r\rdata: c\n\n\ndata", []string{"data: a\n\n", ": x\n\n", "data: b\r\n\r\n", "x\r\r", "data: c\n\n", "\n"}},
		{typeLines, "{}\n{}\n{", []string{"{}\n", "{}\n"}},
		{typeJSON, "{}\n\n", nil},
	} {
		for size := 1; size <= len(c.stream); size++ {
			s := NewScanner(c.contentType)
			var got []string
			event := ""
			for part := range slices.Chunk([]byte(c.stream), size) {
				for len(part) > 0 {
					n, ended := s.Event(part)
					event += string(part[:n])
					if part = part[n:]; ended {
						got, event = append(got, event), ""
					}
				}
			}
			if strings.Join(got, "")+event != c.stream || len(got) != len(c.want) || size == len(c.stream) && !slices.Equal(got, c.want) {
				t.Errorf("in pieces of %d: %q, rest %q, want %q", size, got, event, c.want)
			}
		}
		if s := NewScanner(c.contentType); s.Streamed() != (c.want != nil) {
			t.Errorf("%s is streamed: %v", c.contentType, s.Streamed())
		}
	}
}
