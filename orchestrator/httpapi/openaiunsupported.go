package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin/backend"
)

// Unsupported are members of OpenAI's two text requests that would change the answer,
// and that are not passed on to engines. To ignore them would give an answer that was not
// asked for. The tag passes lists, as JSON, the values that change nothing; null
// is always one. What this does not name has no part in the answer, or is newer.
type Unsupported struct {
	FrequencyPenalty json.RawMessage `json:"frequency_penalty,omitempty" passes:"[0]" doc:"Only 0"`
	PresencePenalty  json.RawMessage `json:"presence_penalty,omitempty" passes:"[0]" doc:"Only 0"`
	LogitBias        json.RawMessage `json:"logit_bias,omitempty" passes:"[{}]" doc:"Only an empty one"`
}

// UnsupportedChat are those of a chat.
type UnsupportedChat struct {
	Unsupported
	Tools            json.RawMessage `json:"tools,omitempty" passes:"[[]]" doc:"Only an empty list"`
	ToolChoice       json.RawMessage `json:"tool_choice,omitempty" passes:"[\"none\",\"auto\"]" doc:"Only none and auto: there are no tools"`
	Functions        json.RawMessage `json:"functions,omitempty" passes:"[[]]" doc:"Only an empty list"`
	FunctionCall     json.RawMessage `json:"function_call,omitempty" passes:"[\"none\",\"auto\"]" doc:"Only none and auto: there are no functions"`
	ResponseFormat   json.RawMessage `json:"response_format,omitempty" passes:"[{\"type\":\"text\"}]" doc:"Only text"`
	Logprobs         json.RawMessage `json:"logprobs,omitempty" passes:"[false]" doc:"Only false"`
	TopLogprobs      json.RawMessage `json:"top_logprobs,omitempty" passes:"[0]" doc:"Only 0"`
	Modalities       json.RawMessage `json:"modalities,omitempty" passes:"[[\"text\"]]" doc:"Only text"`
	Audio            json.RawMessage `json:"audio,omitempty" passes:"[]" doc:"Refused: answers are text"`
	ReasoningEffort  json.RawMessage `json:"reasoning_effort,omitempty" passes:"[]" doc:"Refused: engines are not told"`
	Verbosity        json.RawMessage `json:"verbosity,omitempty" passes:"[\"medium\"]" doc:"Only medium, which is the default"`
	WebSearchOptions json.RawMessage `json:"web_search_options,omitempty" passes:"[]" doc:"Refused: there is no search"`
}

// UnsupportedTurn are those of one message of a chat.
type UnsupportedTurn struct {
	ToolCalls    json.RawMessage `json:"tool_calls,omitempty" passes:"[[]]" doc:"Only an empty list"`
	ToolCallID   json.RawMessage `json:"tool_call_id,omitempty" passes:"[]" doc:"Refused: there are no tools"`
	FunctionCall json.RawMessage `json:"function_call,omitempty" passes:"[]" doc:"Refused: there are no functions"`
	Audio        json.RawMessage `json:"audio,omitempty" passes:"[]" doc:"Refused: messages are text"`
}

// UnsupportedCompletion are those of a completion.
type UnsupportedCompletion struct {
	Unsupported
	Logprobs json.RawMessage `json:"logprobs,omitempty" passes:"[]" doc:"Refused: there are none"`
	Echo     json.RawMessage `json:"echo,omitempty" passes:"[false]" doc:"Only false"`
	Suffix   json.RawMessage `json:"suffix,omitempty" passes:"[\"\"]" doc:"Only an empty one"`
	BestOf   json.RawMessage `json:"best_of,omitempty" passes:"[1]" doc:"Only 1"`
}

// member is one that is refused, but for some values.
type member struct {
	index  []int
	name   string
	passes []any
}

var (
	unsupportedChat       = membersOf(reflect.TypeFor[UnsupportedChat]())
	unsupportedTurn       = membersOf(reflect.TypeFor[UnsupportedTurn]())
	unsupportedCompletion = membersOf(reflect.TypeFor[UnsupportedCompletion]())
)

// membersOf reads the tags of one of the types above.
func membersOf(t reflect.Type) (all []member) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m := member{index: f.Index, name: name}
		if err := json.Unmarshal([]byte(f.Tag.Get("passes")), &m.passes); err != nil {
			panic("httpapi: the tag passes of " + f.Name + ": " + err.Error()) // a defect
		}
		all = append(all, m)
	}
	return all
}

// refuseUnsupported refuses the first member that would change the answer.
func refuseUnsupported(all []member, sent any, place string) error {
	v := reflect.ValueOf(sent)
	for _, m := range all {
		text := v.FieldByIndex(m.index).Bytes()
		if len(text) == 0 {
			continue
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return fmt.Errorf("reading %s: %w", m.name, err)
		}
		if value == nil || slices.ContainsFunc(m.passes, func(p any) bool { return reflect.DeepEqual(p, value) }) {
			continue
		}
		p := newProblem(http.StatusUnprocessableEntity, "NOT_SUPPORTED", "the answer would be another one than was asked for; the member errors names what to leave out")
		p.Errors = []backend.FieldError{{Location: place + m.name, Message: "not supported, or not with this value; leave it out"}}
		return p
	}
	return nil
}
