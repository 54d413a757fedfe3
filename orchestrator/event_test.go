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
		var got TokenData
		if err := json.Unmarshal(batch[0].Data, &got); err != nil || got.Text != want || got.Index != index {
			t.Fatalf("got %+v, %v, want %q", got, err, want)
		}
	})
}

// TestAnEnginesBytesAreWhatTheyWere writes raw events into a record of the log, and reads
// them again.
func TestAnEnginesBytesAreWhatTheyWere(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "data: {\"a\":\"\\n\"}\n\n", "\x00\x1f\u2028<&>\"\\", "ü\r\n"}))
	rapid.Check(t, func(t *rapid.T) {
		want := text.Draw(t, "text")
		if !utf8.ValidString(want) {
			return // refused before it gets here
		}
		record := encodeBatch([]Event{{ID: 1, Type: EventChunk, Data: []byte(want)}, {ID: 2, Type: EventLast, Data: []byte(want)}})
		batch, err := decodeBatch(record)
		if err != nil || len(batch) != 2 || string(batch[0].Data) != want || string(batch[1].Data) != want {
			t.Fatalf("got %v, %v, want %q", batch, err, want)
		}
	})
}
