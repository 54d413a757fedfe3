package usage

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzScanner compares a scanner with encoding/json, for one object as a whole answer, as
// the only event of a stream and as its only line, and wants the same of every division
// into pieces. A scanner may leave an answer unreported that encoding/json can read, since
// others read it differently; it must never report other figures.
func FuzzScanner(f *testing.F) {
	for _, c := range answers {
		f.Add(c.answer)
	}
	for _, answer := range hostile {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		if len(answer) > 2000 {
			return
		}
		for _, contentType := range []string{typeJSON, typeEvents, typeLines} {
			got, seen := read(contentType, answer, len(answer)+1)
			for size := 1; size < min(len(answer), 20); size++ {
				if again, seenAgain := read(contentType, answer, size); again != got || seenAgain != seen {
					t.Fatalf("%q in pieces of %d: seen %d and %d, %s", answer, size, seen, seenAgain, cmp.Diff(got, again))
				}
			}
			if got.Input < 0 || got.Output < 0 || got.Input > MaxFigure || got.Output > MaxFigure {
				t.Fatalf("%q: %+v", answer, got)
			}
		}
		got, _ := read(typeJSON, answer, len(answer)+1)
		if !got.Reported {
			return
		}
		if want := reference(t, answer); got != want {
			t.Errorf("%q (-encoding/json +got):\n%s", answer, cmp.Diff(want, got))
		}
		if !strings.ContainsAny(answer, "\r\n") {
			for contentType, stream := range map[string]string{typeEvents: "event: x\ndata: " + answer + "\n\n", typeLines: answer + "\n\n"} {
				if inStream, _ := read(contentType, stream, 7); inStream != got {
					t.Errorf("%q as %s (-whole +stream):\n%s", answer, contentType, cmp.Diff(got, inStream))
				}
			}
		}
	})
}

// said is a usage object as encoding/json reads it.
type said struct {
	Prompt            *float64 `json:"prompt_tokens"`
	Input             *float64 `json:"input_tokens"`
	Completion        *float64 `json:"completion_tokens"`
	Output            *float64 `json:"output_tokens"`
	Total             *float64 `json:"total_tokens"`
	Reasoning         *float64 `json:"reasoning_tokens"`
	Read              *float64 `json:"cache_read_input_tokens"`
	Written           *float64 `json:"cache_creation_input_tokens"`
	PromptDetails     details  `json:"prompt_tokens_details"`
	InputDetails      details  `json:"input_tokens_details"`
	CompletionDetails details  `json:"completion_tokens_details"`
	OutputDetails     details  `json:"output_tokens_details"`
}

type details struct {
	Cached    *float64 `json:"cached_tokens"`
	Reasoning *float64 `json:"reasoning_tokens"`
}

// reference reads a whole answer that a scanner has accepted, so that nothing in it has two
// readings.
func reference(t *testing.T, answer string) Figures {
	t.Helper()
	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(answer), &top); err != nil {
		t.Fatalf("%q: %v", answer, err)
	}
	object := func(raw json.RawMessage) (members map[string]json.RawMessage) {
		_ = json.Unmarshal(raw, &members) // another kind of value has none
		return members
	}
	f := Figures{Reported: true}
	message, response := object(top["message"]), object(top["response"])
	for _, raw := range []json.RawMessage{top["model"], message["model"], response["model"]} {
		var name string
		if len(raw) <= maxValue && json.Unmarshal(raw, &name) == nil && name != "" {
			f.Model = name
		}
	}
	var read, written, cached int64
	set := func(place *int64, grows bool, values ...*float64) (any bool) {
		for _, v := range values {
			if v == nil {
				continue
			}
			if *v != math.Trunc(*v) {
				t.Fatalf("%q: reported with a fraction", answer)
			}
			n := int64(*v)
			if grows {
				n = max(n, *place)
			}
			*place, any = n, true
		}
		return any
	}
	totals := map[string]*float64{}
	usageOf := func(where string, raw json.RawMessage) {
		var u said
		for name, member := range object(raw) { // one by one: a detail may be of another kind
			if raw := strings.TrimSpace(string(member)); strings.HasSuffix(name, "_details") && !strings.HasPrefix(raw, "{") {
				continue
			}
			one, _ := json.Marshal(map[string]json.RawMessage{name: member})
			_ = json.Unmarshal(one, &u) // an error is of a member that is not of interest
		}
		any := set(&f.Reasoning, true, u.CompletionDetails.Reasoning, u.OutputDetails.Reasoning, u.Reasoning)
		any = set(&read, false, u.Read) || any
		any = set(&written, false, u.Written) || any
		any = set(&cached, false, u.InputDetails.Cached, u.PromptDetails.Cached) || any
		any = set(&f.Output, true, u.Completion, u.Output) || any
		any = set(&f.Input, false, u.Input, u.Prompt) || any
		if !any {
			totals[where] = u.Total
		}
	}
	var ollama struct {
		Prompt *float64 `json:"prompt_eval_count"`
		Eval   *float64 `json:"eval_count"`
	}
	for _, name := range []string{"prompt_eval_count", "eval_count"} {
		if raw, ok := top[name]; ok {
			one, _ := json.Marshal(map[string]json.RawMessage{name: raw})
			_ = json.Unmarshal(one, &ollama)
		}
	}
	// The order of the paths, with totals at the end.
	usageOf("message", message["usage"])
	set(&f.Output, true, ollama.Eval)
	set(&f.Input, false, ollama.Prompt)
	usageOf("response", response["usage"])
	usageOf("", top["usage"])
	set(&f.Input, false, totals[""], totals["message"], totals["response"])
	f.Input += read + written
	f.Cached = cached + read
	return f
}
