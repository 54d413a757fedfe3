package orchestrator

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestATokensTextIsWhatItWasMadeOf has any text go into an event, through a
// record of the log, and out again without being decoded.
func TestATokensTextIsWhatItWasMadeOf(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `","i":7}`, `{"t":"`, "\x00\u2028<&>\"\\", "ü"}))
	rapid.Check(t, func(t *rapid.T) {
		want, index := text.Draw(t, "text"), rapid.IntRange(0, 1<<20).Draw(t, "index")
		if !utf8.ValidString(want) {
			return // JSON has no other strings
		}
		batch, err := decodeBatch(encodeBatch([]Event{{ID: 1, Type: EventToken, Data: encodeToken(want, index)}}))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal(batch[0].Text(), &got); err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	})
}
