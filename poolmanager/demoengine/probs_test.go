package demoengine

import (
	"strings"
	"testing"
)

// likely is the text of tokens with their log probabilities, and how many others each has.
func likely(all []tokenProb) (text string, others int) {
	for _, one := range all {
		text, others = text+one.Text, others+len(one.Top)
	}
	return text, others
}

func TestResponsesHaveLogProbabilitiesWhenAsked(t *testing.T) {
	base, _ := start(t, nil)
	type part struct {
		Text     string
		Logprobs []tokenProb
	}
	type answer struct{ Output []struct{ Content []part } }
	const body = `{"input":"hi","max_output_tokens":4,"top_logprobs":2`
	const asked = body + `,"include":["message.output_text.logprobs"]`
	whole := decoded[answer](t, text(t, base, "/v1/responses", asked+"}")).Output[0].Content[0]
	if text, others := likely(whole.Logprobs); text != whole.Text || others != 8 {
		t.Errorf("got %q with %d others, want %q with 8", text, others, whole.Text)
	}
	var streamed []tokenProb
	for _, e := range eventsOf[struct {
		Type     string
		Logprobs []tokenProb
	}](t, text(t, base, "/v1/responses", asked+`,"stream":true}`)) {
		if strings.HasSuffix(e.Type, "text.delta") {
			streamed = append(streamed, e.Logprobs...)
		}
	}
	if text, others := likely(streamed); text != whole.Text || others != 8 {
		t.Errorf("streamed: got %q with %d others, want %q with 8", text, others, whole.Text)
	}
	if got := decoded[answer](t, text(t, base, "/v1/responses", body+"}")).Output[0].Content[0]; got.Logprobs == nil || len(got.Logprobs) > 0 {
		t.Errorf("not asked: got %v, want an empty list", got.Logprobs)
	}
}

func TestOllamaHasLogProbabilitiesWhenAsked(t *testing.T) {
	base, _ := start(t, nil)
	for path, member := range map[string]string{"/api/chat": `"messages":[{"role":"user","content":"hi"}]`, "/api/generate": `"prompt":"hi"`} {
		body := `{` + member + `,"options":{"num_predict":4}`
		whole := decoded[ollamaLine](t, text(t, base, path, body+`,"logprobs":true,"top_logprobs":2,"stream":false}`))
		want, others := likely(whole.Logprobs)
		if others != 8 || !strings.HasPrefix(want, "[demo]") {
			t.Errorf("%s: got %q with %d others, want 4 tokens with 8", path, want, others)
		}
		var streamed []tokenProb
		for line := range strings.Lines(text(t, base, path, body+`,"logprobs":true,"top_logprobs":2}`)) {
			streamed = append(streamed, decoded[ollamaLine](t, line).Logprobs...)
		}
		if got, others := likely(streamed); got != want || others != 8 {
			t.Errorf("%s, streamed: got %q with %d others, want %q with 8", path, got, others, want)
		}
		if answer := text(t, base, path, body+"}"); strings.Contains(answer, "logprobs") {
			t.Errorf("%s, not asked: got %s", path, answer)
		}
	}
}
