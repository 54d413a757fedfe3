package httpapi

import (
	"encoding/json"
	"testing"
)

// TestAChunkIsWholeWhateverTheModelIsCalled puts a token into the chunk of models
// whose names look like the place where it belongs.
func TestAChunkIsWholeWhateverTheModelIsCalled(t *testing.T) {
	for _, object := range []string{"chat.completion", "text_completion"} {
		for _, model := range []string{"demo", `:"text"`, `text`, `":"text"`, ""} {
			before, after, err := openaiOptions{object: object, model: model, stream: true}.chunk(&conversation{id: "id"})
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Model   string
				Choices []struct {
					Text  string
					Delta struct{ Content string }
				}
			}
			whole := string(before) + `"a\n\"b"` + string(after)
			if err := json.Unmarshal([]byte(whole), &got); err != nil || len(got.Choices) != 1 {
				t.Fatalf("%s of %q: %s, %v", object, model, whole, err)
			}
			if text := got.Choices[0].Text + got.Choices[0].Delta.Content; text != "a\n\"b" || got.Model != model {
				t.Errorf("%s: got model %q and text %q", object, got.Model, text)
			}
		}
	}
}
