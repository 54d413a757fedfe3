package demoengine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestNumbersOutOfTheirRangeAreRefused: other engines refuse them, so that a client's
// mistake shows with this one, too.
func TestNumbersOutOfTheirRangeAreRefused(t *testing.T) {
	base, _ := start(t, nil)
	const said = `"messages":[{"role":"user","content":"hi"}]`
	for path, c := range map[string]struct{ body, bad, good string }{
		"/v1/chat/completions": {said,
			`"temperature":5 "temperature":-1 "top_p":2 "top_p":-0.1 "min_p":1.5 "presence_penalty":3 "frequency_penalty":-2.5 "n":0 "n":-1 "n":17 "max_tokens":-1 "max_tokens":0 "max_completion_tokens":-5 "top_logprobs":21 "top_logprobs":-1`,
			`"temperature":2 "temperature":0 "temperature":null "top_p":1 "n":1 "n":null "max_tokens":1 "max_tokens":null "top_logprobs":0`},
		"/v1/completions": {`"prompt":"hi"`, `"temperature":5 "top_p":2 "n":0 "max_tokens":-1 "logprobs":21 "logprobs":-1`, `"temperature":1.5 "n":2 "max_tokens":1 "logprobs":0`},
		"/v1/responses":   {`"input":"hi"`, `"temperature":5 "top_p":2 "max_output_tokens":-1 "top_logprobs":21`, `"temperature":1.5 "max_output_tokens":1`},
		"/v1/messages":    {said + `,"max_tokens":3`, `"temperature":1.5 "top_p":2 "max_tokens":-1 "max_tokens":0`, `"temperature":1 "top_p":0.5`},
		"/v1/embeddings":  {`"input":"hi"`, `"dimensions":0 "dimensions":-1`, `"dimensions":1 "dimensions":null`},
	} {
		for _, stream := range []string{"false", "true"} {
			for _, member := range strings.Fields(c.bad) {
				response := do(t, t.Context(), "POST", base+path, testKey, `{`+c.body+`,`+member+`,"stream":`+stream+`}`)
				var problem struct {
					Error struct{ Message string }
				}
				name := strings.Trim(member[:strings.Index(member, ":")], `"`)
				if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || response.StatusCode != 400 || !strings.HasPrefix(problem.Error.Message, name+": want ") {
					t.Errorf("%s with %s: got %d %+v, %v, want 400 that names it", path, member, response.StatusCode, problem, err)
				}
			}
		}
		for _, member := range strings.Fields(c.good) {
			text(t, base, path, `{`+c.body+`,`+member+`}`)
		}
	}
}

func TestACompletionHasAnAnswerToEachPrompt(t *testing.T) {
	base, _ := start(t, nil)
	one := decoded[textAnswer](t, text(t, base, "/v1/completions", `{"prompt":"b","max_tokens":9,"n":2,"echo":true}`))
	for prompt, want := range map[string]int{`["a","b"]`: 4, `[1,2,3]`: 2, `[[1,2],[3],[4]]`: 6, `"a"`: 2} {
		body := `{"prompt":` + prompt + `,"max_tokens":9,"n":2`
		got := decoded[textAnswer](t, text(t, base, "/v1/completions", body+`,"echo":true}`))
		var texts []string
		for i, c := range got.Choices {
			if c.Index != i {
				t.Errorf("%s: choice %d has index %d", prompt, i, c.Index)
			}
			texts = append(texts, c.Text)
		}
		if len(texts) != want || len(slices.Compact(slices.Sorted(slices.Values(texts)))) != want {
			t.Errorf("%s: got %q, want %d that differ", prompt, texts, want)
		}
		if prompt == `["a","b"]` && (texts[2] != one.Choices[0].Text || texts[3] != one.Choices[1].Text) {
			t.Errorf("%s: got %q, want what the prompt alone gets: %+v", prompt, texts, one.Choices)
		}
		streamed := make([]string, want)
		for _, e := range eventsOf[textAnswer](t, text(t, base, "/v1/completions", body+`,"stream":true}`)) {
			for _, c := range e.Choices {
				streamed[c.Index] += c.Text
			}
		}
		for i := range streamed {
			if streamed[i] == "" || !strings.HasSuffix(texts[i], streamed[i]) {
				t.Errorf("%s: streamed %q, whole %q", prompt, streamed[i], texts[i])
			}
		}
	}
	usage := decoded[openAIUsage](t, string(decoded[textAnswer](t, text(t, base, "/v1/completions", `{"prompt":[[7,8],[9]],"max_tokens":2}`)).Usage))
	if usage.PromptTokens != 3 || usage.CompletionTokens != 4 {
		t.Errorf("usage: got %+v, want 3 and 4 tokens", usage)
	}
	for _, prompt := range []string{`[]`, `{}`, `[1,"a"]`, `7`, `[` + strings.Repeat(`"a",`, maxAnswers) + `"a"]`} {
		if status := do(t, t.Context(), "POST", base+"/v1/completions", testKey, `{"prompt":`+prompt+`}`).StatusCode; status != 400 {
			t.Errorf("%.20s: got %d, want 400", prompt, status)
		}
	}
}

func TestAnEmbeddingTakesTokens(t *testing.T) {
	base, _ := start(t, nil)
	type list struct {
		Data  []struct{ Embedding []float64 }
		Usage struct {
			PromptTokens int `json:"prompt_tokens"`
		}
	}
	for input, want := range map[string][2]int{`[1,2]`: {1, 2}, `[[1,2],[3]]`: {2, 3}, `["a","b c"]`: {2, 3}, `"a"`: {1, 1}} {
		got := decoded[list](t, text(t, base, "/v1/embeddings", fmt.Sprintf(`{"input":%s}`, input)))
		if len(got.Data) != want[0] || got.Usage.PromptTokens != want[1] {
			t.Errorf("%s: got %d vectors of %d tokens, want %v", input, len(got.Data), got.Usage.PromptTokens, want)
		}
	}
}
