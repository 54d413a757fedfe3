package clients_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// presence is what the SDKs note of each member: its JSON as it came, "" if it was not
// there.
type presence interface{ Raw() string }

// absent lists the members that an SDK's type calls required and that did not come. A
// member that is null came: types of other languages have a null where these say required.
func absent(v reflect.Value, path string) (all []string) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, absent(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return all
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return absent(v.Elem(), path)
	case reflect.Struct:
	default:
		return nil
	}
	if as := v.MethodByName("AsAny"); as.IsValid() && as.Type().NumIn() == 0 { // a union: what it is
		return absent(as.Call(nil)[0], path)
	}
	meta := v.FieldByName("JSON")
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" || !field.IsExported() || !meta.IsValid() {
			continue
		}
		came, ok := reflect.Value{}, false
		if came = meta.FieldByName(field.Name); came.IsValid() {
			_, ok = came.Interface().(presence)
		}
		raw := ""
		if ok {
			raw = came.Interface().(presence).Raw()
		}
		required := field.Tag.Get("api") == "required" || field.Tag.Get("default") != "" || strings.Contains(options, "required")
		switch {
		case raw == "" && required:
			all = append(all, path+"."+name)
		case raw != "" && raw != "null":
			all = append(all, absent(v.Field(i), path+"."+name)...)
		}
	}
	return all
}

// complete fails the test for what did not come.
func complete[T any](t *testing.T, what string, text string) {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v in %s", what, err, text)
	}
	for _, member := range absent(reflect.ValueOf(&v), what) {
		t.Errorf("%s did not come: %.300s", member, text)
	}
}

// TestAbsentMembersAreFound: a test that finds none must be able to find some.
func TestAbsentMembersAreFound(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[]}`:                                            "",
		`{"id":"a","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":null,"message":{"role":"a"}}]}`: "[x.choices[0].logprobs x.choices[0].message.content x.choices[0].message.refusal x.created]",
	} {
		var v openai.ChatCompletion
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got := absent(reflect.ValueOf(v), "x"); fmt.Sprint(got) != want && len(got)+len(want) > 0 {
			t.Errorf("%s: got %v, want %s", text, got, want)
		}
	}
	var r responses.ResponseOutputItemUnion
	if err := json.Unmarshal([]byte(`{"type":"function_call","call_id":"c","name":"f"}`), &r); err != nil {
		t.Fatal(err)
	}
	if got := absent(reflect.ValueOf(r), "x"); fmt.Sprint(got) != "[x.arguments]" {
		t.Errorf("of a union: got %v", got)
	}
}

const (
	chatMembers      = `"model":"demo","messages":[{"role":"user","content":"hi"}]`
	chatTool         = `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]`
	responseMembers  = `"model":"demo","input":"hi"`
	responseTool     = `,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}],"tool_choice":"required"`
	messageMembers   = chatMembers + `,"max_tokens":40`
	messageTool      = `,"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}]`
	messageReasoning = `,"thinking":{"type":"enabled","budget_tokens":1024}`
)

// asked gives answers as they came.
type asked struct{ gatewaytest.Client }

func (c asked) get(t *testing.T, path string, headers ...string) string {
	t.Helper()
	got, err := c.Do("GET", path, "", headers...)
	if err != nil || got.Status != 200 {
		t.Fatalf("%s: got %d %s, %v", path, got.Status, got.Body, err)
	}
	return string(got.Body)
}

// text sends the members of a request.
func (c asked) text(t *testing.T, path, members string) string {
	t.Helper()
	got, err := c.Do("POST", path, "{"+members+"}")
	if err != nil || got.Status != 200 {
		t.Fatalf("%s %s: got %d %s, %v", path, members, got.Status, got.Body, err)
	}
	return string(got.Body)
}

// events are the data of a streamed answer.
func (c asked) events(t *testing.T, path, members string) (all []string) {
	t.Helper()
	for line := range strings.Lines(c.text(t, path, members+`,"stream":true`)) {
		if data, ok := strings.CutPrefix(line, "data: "); ok && strings.HasPrefix(data, "{") {
			all = append(all, data)
		}
	}
	if len(all) < 3 {
		t.Errorf("%s %s: got %d events", path, members, len(all))
	}
	return all
}

// requiredMembers: clients in languages with strict types fail at a member that their type
// has and that does not come.
func requiredMembers(t *testing.T, s site) {
	c := asked{s.admin.As(s.user)}
	for _, more := range []string{"", chatTool, `,"logprobs":true,"top_logprobs":2,"n":2`, `,"reasoning_effort":"low"`} {
		complete[openai.ChatCompletion](t, "chat"+more, c.text(t, "/v1/chat/completions", chatMembers+more))
		for _, event := range c.events(t, "/v1/chat/completions", chatMembers+more+`,"stream_options":{"include_usage":true}`) {
			complete[openai.ChatCompletionChunk](t, "chunk"+more, event)
		}
	}
	for _, more := range []string{"", `,"logprobs":2,"n":2`} {
		complete[openai.Completion](t, "completion"+more, c.text(t, "/v1/completions", `"model":"demo","prompt":"hi"`+more))
		for _, event := range c.events(t, "/v1/completions", `"model":"demo","prompt":"hi","max_tokens":3`+more) {
			complete[openai.Completion](t, "completion, streamed"+more, event)
		}
	}
	complete[openai.CreateEmbeddingResponse](t, "embeddings", c.text(t, "/v1/embeddings", `"model":"demo","input":["a","b"]`))
	for _, more := range []string{"", responseTool, `,"reasoning":{"effort":"low"}`, `,"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}`, `,"max_output_tokens":1,"instructions":"be brief","metadata":{"a":"b"}`} {
		complete[responses.Response](t, "response"+more, c.text(t, "/v1/responses", responseMembers+more))
		for _, event := range c.events(t, "/v1/responses", responseMembers+more) {
			complete[responses.ResponseStreamEventUnion](t, "event"+more, event)
		}
	}
	for _, more := range []string{"", messageTool, messageReasoning} {
		complete[anthropic.Message](t, "message"+more, c.text(t, "/v1/messages", messageMembers+more))
		for _, event := range c.events(t, "/v1/messages", messageMembers+more) {
			complete[anthropic.MessageStreamEventUnion](t, "message's event"+more, event)
		}
	}
}

// requiredOfLists is the same for what is not made by an engine's answer.
func requiredOfLists(t *testing.T, s site) {
	c := asked{s.admin.As(s.user)}
	complete[openai.Model](t, "model", c.get(t, "/v1/models/demo"))
	complete[anthropic.ModelInfo](t, "model, Anthropic's", c.get(t, "/v1/models/demo", "Anthropic-Version: 2023-06-01"))
	if list := c.get(t, "/v1/models", "Anthropic-Version: 2023-06-01"); !strings.Contains(list, `"has_more":false,"first_id":"demo","last_id":"demo"`) {
		t.Errorf("list: got %s", list)
	}
	var kept struct{ ID string }
	if err := json.Unmarshal([]byte(c.text(t, "/v1/responses", responseMembers)), &kept); err != nil {
		t.Fatal(err)
	}
	complete[responses.Response](t, "response, read again", c.get(t, "/v1/responses/"+kept.ID))
	complete[responses.ResponseItemList](t, "input items", c.get(t, "/v1/responses/"+kept.ID+"/input_items"))
}
