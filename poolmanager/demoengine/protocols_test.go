package demoengine

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

// names gives the names of a stream's events, each run of one name once.
func names(stream string) (all []string) {
	for line := range strings.Lines(stream) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "event: "); ok && (len(all) == 0 || all[len(all)-1] != name) {
			all = append(all, name)
		}
	}
	return all
}

const messagesWeather = `"tools":[{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]`

func TestMessagesHaveTheEventsThatAgentsWaitFor(t *testing.T) {
	base, _ := start(t, nil)
	for body, want := range map[string]string{
		`{"max_tokens":5,"messages":[{"role":"user","content":"hello there"}]`:                                                      "message_start ping content_block_start content_block_delta content_block_stop message_delta message_stop",
		`{"max_tokens":500,"messages":[{"role":"user","content":"hello there"}],` + messagesWeather:                                 "message_start ping content_block_start content_block_delta content_block_stop message_delta message_stop",
		`{"max_tokens":12,"thinking":{"type":"enabled"},"messages":[{"role":"user","content":"hello there"}]`:                       "message_start ping content_block_start content_block_delta content_block_stop content_block_start content_block_delta content_block_stop message_delta message_stop",
		`{"max_tokens":5,"stop_sequences":["[demo]"],"messages":[{"role":"user","content":[{"type":"text","text":"hello there"}]}]`: "message_start ping message_delta message_stop",
	} {
		stream := text(t, base, "/v1/messages", body+`,"stream":true}`)
		if got := strings.Join(names(stream), " "); got != want {
			t.Errorf("%s: got %s\nwant %s", body, got, want)
		}
		var first struct{ Message message }
		_, data, _ := strings.Cut(stream, "data: ")
		if err := json.NewDecoder(strings.NewReader(data)).Decode(&first); err != nil || first.Message.Usage.InputTokens != 3 {
			t.Errorf("%s: begins with %+v, %v, want 3 input tokens", body, first, err)
		}
	}
}

func TestAMessageIsTheSameWholeAndStreamed(t *testing.T) {
	base, _ := start(t, nil)
	const body = `{"max_tokens":500,"thinking":{"type":"enabled"},"messages":[{"role":"user","content":"hi"}],` + messagesWeather
	whole := decoded[message](t, text(t, base, "/v1/messages", body+"}"))
	if len(whole.Content) != 2 || whole.Content[0].Type != "thinking" || string(whole.Content[1].Input) != `{"city":"[demo]"}` || *whole.StopReason != "tool_use" {
		t.Errorf("got %+v", whole)
	}
	input := ""
	for _, e := range eventsOf[struct {
		Delta struct {
			PartialJSON string `json:"partial_json"`
		}
	}](t, text(t, base, "/v1/messages", body+`,"stream":true}`)) {
		input += e.Delta.PartialJSON
	}
	if input != string(whole.Content[1].Input) {
		t.Errorf("streamed %s, whole %s", input, whole.Content[1].Input)
	}
	after := `{"max_tokens":4,"messages":[{"role":"user","content":"hi"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"20°"}]}],` + messagesWeather + "}"
	if got := decoded[message](t, text(t, base, "/v1/messages", after)); got.Content[0].Type != "text" || !strings.HasPrefix(*got.Content[0].Text, "[demo]") || *got.StopReason != "max_tokens" || got.Usage.OutputTokens != 4 {
		t.Errorf("after the tool: got %+v", got)
	}
	if got := decoded[map[string]int](t, text(t, base, "/v1/messages/count_tokens", `{"messages":[{"role":"user","content":"a b c"}]}`)); got["input_tokens"] != 4 {
		t.Errorf("counted %v", got)
	}
	response := do(t, t.Context(), "POST", base+"/v1/messages", testKey, `{"messages":[{"role":"user","content":"hi"}]}`)
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 400 || !strings.Contains(string(body), `"type":"error"`) {
		t.Errorf("without max_tokens: got %d %s", response.StatusCode, body)
	}
}

const responsesWeather = `"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]`

func TestAMessageIsAnInstanceOfItsSchema(t *testing.T) {
	base, _ := start(t, nil)
	const schema = `{"type":"json_schema","schema":{"type":"object","properties":{"n":{"type":"integer","minimum":3}},"required":["n"]}}`
	for _, member := range []string{`"output_config":{"format":` + schema + `}`, `"output_format":` + schema, `"output_config":{"effort":"low","format":` + schema + `}`} {
		body := `{"max_tokens":50,"messages":[{"role":"user","content":"hi"}],` + member
		got := decoded[message](t, text(t, base, "/v1/messages", body+`}`))
		if len(got.Content) != 1 || *got.Content[0].Text != `{"n":3}` || *got.StopReason != "end_turn" {
			t.Errorf("%s: got %+v", member, got)
		}
		if stream := text(t, base, "/v1/messages", body+`,"stream":true}`); !strings.Contains(stream, `"text":"{\"n\":3"`) {
			t.Errorf("%s: streamed %s", member, stream)
		}
	}
	for _, format := range []string{`{"type":"text"}`, `{"type":"json_schema"}`} {
		body := `{"max_tokens":50,"messages":[{"role":"user","content":"hi"}],"output_config":{"format":` + format + `}}`
		if status := do(t, t.Context(), "POST", base+"/v1/messages", testKey, body).StatusCode; status != 400 {
			t.Errorf("%s: got %d, want 400", format, status)
		}
	}
}

func TestResponsesHaveTheEventsThatAgentsWaitFor(t *testing.T) {
	base, _ := start(t, nil)
	const begin, added, done = "response.created response.in_progress ", "response.output_item.added ", " response.output_item.done "
	message := added + "response.content_part.added response.output_text.delta response.output_text.done response.content_part.done" + done
	for body, want := range map[string]string{
		`{"input":"hi"`:                       begin + message + "response.completed",
		`{"input":"hi","max_output_tokens":2`: begin + message + "response.incomplete",
		`{"input":"hi",` + responsesWeather:   begin + added + "response.function_call_arguments.delta response.function_call_arguments.done" + done + "response.completed",
		`{"input":"hi","reasoning":{"effort":"low"}`: begin + added + "response.reasoning_summary_part.added response.reasoning_summary_text.delta response.reasoning_summary_text.done response.reasoning_summary_part.done" +
			done + message + "response.completed",
	} {
		stream := text(t, base, "/v1/responses", body+`,"stream":true}`)
		if got := strings.Join(names(stream), " "); got != want {
			t.Errorf("%s: got %s\nwant %s", body, got, want)
		}
		type event struct {
			Number   int `json:"sequence_number"`
			Response response
		}
		events := eventsOf[event](t, stream)
		for i, e := range events {
			if e.Number != i {
				t.Errorf("%s: event %d has sequence_number %d", body, i, e.Number)
			}
		}
		last := events[len(events)-1].Response
		if last.Usage == nil || last.Usage.InputTokens == 0 || last.Usage.OutputTokens == 0 || len(last.Output) == 0 || last.ID != events[0].Response.ID {
			t.Errorf("%s: ends with %+v", body, last)
		}
	}
}

func TestAResponseIsKeptAndContinued(t *testing.T) {
	base, e := start(t, nil)
	first := decoded[response](t, text(t, base, "/v1/responses", `{"input":"hi",`+responsesWeather+`}`))
	if first.Status != "completed" || first.Output[0]["type"] != "function_call" || first.Output[0]["arguments"] != `{"city":"[demo]"}` {
		t.Errorf("got %+v", first)
	}
	second := decoded[response](t, text(t, base, "/v1/responses", `{"previous_response_id":"`+first.ID+`","input":[{"type":"function_call_output","call_id":"a","output":"20°"}],`+responsesWeather+`}`))
	if second.Output[0]["type"] != "message" || *second.Previous != first.ID || second.Usage.InputTokens <= first.Usage.InputTokens {
		t.Errorf("the second turn: got %+v", second)
	}
	get := func(method, path string) (int, string) {
		response := do(t, t.Context(), method, base+path, testKey, "")
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	path := "/v1/responses/" + first.ID
	if status, body := get("GET", path); status != 200 || decoded[response](t, body).ID != first.ID {
		t.Errorf("read again: %d %s", status, body)
	}
	if status, body := get("GET", path+"/input_items"); status != 200 || !strings.Contains(body, `"text":"hi"`) {
		t.Errorf("its input: %d %s", status, body)
	}
	if status, _ := get("POST", path+"/cancel"); status != 400 {
		t.Errorf("canceled: %d, want 400", status)
	}
	if status, body := get("DELETE", path); status != 200 || !strings.Contains(body, `"deleted":true`) {
		t.Errorf("deleted: %d %s", status, body)
	}
	for _, request := range []string{"GET " + path, "DELETE " + path} {
		method, path, _ := strings.Cut(request, " ")
		if status, _ := get(method, path); status != 404 {
			t.Errorf("%s after that: %d, want 404", request, status)
		}
	}
	if status := do(t, t.Context(), "POST", base+"/v1/responses", testKey, `{"input":"hi","previous_response_id":"resp_x"}`).StatusCode; status != 404 {
		t.Errorf("an unknown one before: %d, want 404", status)
	}
	for range maxKept + 10 {
		e.memory.keep("x", kept{answer: encoded("x")})
	}
	if n := len(e.memory.list); n != maxKept {
		t.Errorf("%d responses are kept, want %d", n, maxKept)
	}
	e.memory.keep("large", kept{prompt: strings.Repeat("x", maxKeptBytes-len("large"))})
	if n := len(e.memory.list); n > 5 || e.memory.bytes > maxKeptBytes {
		t.Errorf("%d responses of %d bytes are kept", n, e.memory.bytes)
	}
}

func TestOllamasAnswersAreLines(t *testing.T) {
	base, _ := start(t, nil)
	for path, body := range map[string]string{"/api/chat": `{"messages":[{"role":"user","content":"hi"}],"think":true,"options":{"num_predict":12}`, "/api/generate": `{"prompt":"hi","think":"low","options":{"num_predict":12}`} {
		whole := decoded[ollamaLine](t, text(t, base, path, body+`,"stream":false}`))
		content, thinking := whole.Response, whole.Thinking
		if whole.Message != nil {
			content, thinking = &whole.Message.Content, whole.Message.Thinking
		}
		if !strings.HasPrefix(*content, "[demo]") || thinking == "" || !whole.Done || whole.DoneReason != "length" || whole.EvalCount != 12 || whole.PromptEvalCount == 0 {
			t.Errorf("%s: got %+v", path, whole)
		}
		streamed := ""
		lines := slices.Collect(strings.Lines(text(t, base, path, body+`}`)))
		for i, line := range lines {
			one := decoded[ollamaLine](t, line)
			if one.Message != nil {
				streamed += one.Message.Content
			} else {
				streamed += *one.Response
			}
			if one.Done != (i == len(lines)-1) {
				t.Errorf("%s: line %d of %d says %s", path, i, len(lines), line)
			}
		}
		if streamed != *content {
			t.Errorf("%s: streamed %q, whole %q", path, streamed, *content)
		}
	}
}

func TestOllamasToolsModelsAndEmbeddings(t *testing.T) {
	base, _ := start(t, nil)
	lines := slices.Collect(strings.Lines(text(t, base, "/api/chat", `{"messages":[{"role":"user","content":"hi"}],`+weather+`}`)))
	if got := decoded[ollamaLine](t, lines[0]); len(lines) != 2 || string(got.Message.ToolCalls[0].Function.Arguments) != `{"city":"[demo]"}` {
		t.Errorf("got %q", lines)
	}
	answer := decoded[ollamaLine](t, text(t, base, "/api/generate", `{"prompt":"hi","stream":false,"format":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}`))
	if *answer.Response != `{"n":1}` || answer.DoneReason != "stop" {
		t.Errorf("got %+v", answer)
	}
	if got := decoded[ollamaLine](t, text(t, base, "/api/generate", `{"model":"demo"}`)); !got.Done || got.DoneReason != "load" {
		t.Errorf("loading: got %+v", got)
	}
	embedded := decoded[struct{ Embeddings [][]float64 }](t, text(t, base, "/api/embed", `{"input":["a","b"],"dimensions":8}`))
	if len(embedded.Embeddings) != 2 || len(embedded.Embeddings[0]) != 8 {
		t.Errorf("got %v", embedded)
	}
	older := decoded[struct{ Embedding []float64 }](t, text(t, base, "/api/embeddings", `{"model":"demo","prompt":"a"}`))
	if newer := decoded[struct{ Embeddings [][]float64 }](t, text(t, base, "/api/embed", `{"input":"a"}`)); !slices.Equal(older.Embedding, newer.Embeddings[0]) {
		t.Errorf("the older route: got %v, want that of the newer one", older)
	}
	for _, name := range []string{"demo", "demo:latest"} {
		if got := text(t, base, "/api/show", `{"model":"`+name+`"}`); !strings.Contains(got, `"tools"`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if status := do(t, t.Context(), "POST", base+"/api/show", testKey, `{"model":"other"}`).StatusCode; status != 404 {
		t.Errorf("another model: %d, want 404", status)
	}
	for path, want := range map[string]string{"/api/tags": `"demo:latest"`, "/api/version": `"version"`} {
		response := do(t, t.Context(), "GET", base+path, testKey, "")
		if body, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %s, %v", path, body, err)
		}
	}
	if got := text(t, base, "/v1/embeddings", `{"input":"a","encoding_format":"base64"}`); strings.Contains(got, "[0") || !strings.Contains(got, `"embedding":"`) {
		t.Errorf("got %.200s, want base64", got)
	}
}

// TestRolesAndSchemasAreRefusedAsElsewhere, on each route that has them.
func TestRolesAndSchemasAreRefusedAsElsewhere(t *testing.T) {
	base, _ := start(t, nil)
	const say, bad = `"messages":[{"role":"user","content":"x"}]`, `{"type":"object","properties":{"a":{"type":"str"}}}`
	for body, words := range map[string]string{
		`/v1/chat/completions {"messages":[{"role":"owner","content":"x"}]}`:                                                `"param":"messages[0].role"`,
		`/v1/chat/completions {"messages":[{"content":"x"}]}`:                                                               `role is missing`,
		`/v1/chat/completions {` + say + `,"tools":[{"type":"function","function":{"name":"f","parameters":` + bad + `}}]}`: `tool f: at #/properties/a: 'str'`,
		`/v1/chat/completions {` + say + `,"response_format":{"type":"json_schema","json_schema":{"schema":` + bad + `}}}`:  `response_format: at #/properties/a: 'str'`,
		`/v1/responses {"input":[{"role":"tool","content":"x"}]}`:                                                           `input[0].role`,
		`/v1/responses {"input":"x","tools":[{"type":"function","name":"f","parameters":` + bad + `}]}`:                     `'str'`,
		`/v1/responses {"input":"x","text":{"format":{"type":"json_schema","name":"f","schema":` + bad + `}}}`:              `'str'`,
		`/v1/messages {"max_tokens":9,"messages":[{"role":"tool","content":"x"}]}`:                                          `messages.0.role`,
		`/v1/messages {"max_tokens":9,` + say + `,"tools":[{"name":"f","input_schema":` + bad + `}]}`:                       `'str'`,
		`/v1/messages {"max_tokens":9,` + say + `,"output_config":{"format":{"type":"json_schema","schema":` + bad + `}}}`:  `'str'`,
		`/api/chat {` + say + `,"format":` + bad + `}`:                                                                      `format: at #/properties/a: 'str'`,
	} {
		path, body, _ := strings.Cut(body, " ")
		response := do(t, t.Context(), "POST", base+path, testKey, body)
		got, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 400 || !strings.Contains(string(got), words) {
			t.Errorf("%s %s: got %d %s, %v, want 400 with %s", path, body, response.StatusCode, got, err, words)
		}
	}
}

// TestAWrongTypeIsToldInTheShapeOfTheRoute: clients show the message, not an object.
func TestAWrongTypeIsToldInTheShapeOfTheRoute(t *testing.T) {
	base, _ := start(t, nil)
	const words = "the body is not the JSON that was expected"
	for path, want := range map[string]string{
		"/v1/chat/completions": `{"error":{"code":"invalid_value","message":"` + words + `","param":null,"type":"invalid_request_error"}}`,
		"/v1/messages":         `{"error":{"message":"` + words + `","type":"invalid_request_error"},"request_id":null,"type":"error"}`,
		"/api/chat":            `{"error":"` + words + `"}`,
	} {
		response := do(t, t.Context(), "POST", base+path, testKey, `{"model":"demo","messages":"x"}`)
		got, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 400 || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: got %d %s, %v, want 400 %s", path, response.StatusCode, got, err, want)
		}
	}
}
