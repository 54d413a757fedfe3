package usage

import (
	"strings"
	"testing"
)

// twice is a stream of an event that is read and remembered, and two with other texts.
func twice(before, first, second, after string) string {
	event := func(text string) string { return "data: " + before + text + after + "\n\n" }
	return ": begin\n\n" + event(first) + event(second) + event(first) + `data: {"usage":{"prompt_tokens":3}}` + "\n\n"
}

// FuzzShape wants the same of a stream whose events are remembered as of one that comes
// byte by byte, where none is.
func FuzzShape(f *testing.F) {
	const before, after = `{"model":"m","choices":[{"delta":{"content":"`, `"}}],"usage":null}`
	for _, text := range []string{
		"", "b", `\"`, `\\`, `\`, `\u0000`, `\ud800`, `\x`, "\x00", "\n", "\r", "\xff", "\xe4", "ä", `","usage":{"prompt_tokens":9},"x":"`, `"}}],"usage":{"prompt_tokens":9},"x":[{"y":{"z":"`, "b\n\ndata: {}",
	} {
		f.Add(before, "a", text, after)
		f.Add(before, text, "a", after)
	}
	f.Add(`{"type":"response.output_text.delta","delta":"`, "a", "b", `"}`)
	f.Add(`{"type":"`, "delta", "response.output_text.done", `","text":"a"}`)
	f.Add(`{"text":"a","content":"`, "a", "b", `"}`)
	f.Add(`{"content":"`, "a", "b", `"`)
	f.Add(`{"content":"`, "a", "b", "\"}\ndata: ")
	f.Add("{\"content\":\"", "a", "b", "\"}\r")
	f.Fuzz(func(t *testing.T, before, first, second, after string) {
		stream := twice(before, first, second, after)
		if len(stream) > 4000 {
			return
		}
		want, wantSeen := read(typeEvents, stream, 1)
		for _, size := range []int{len(stream), 7, 100} {
			if got, seen := read(typeEvents, stream, size); got != want || seen != wantSeen {
				t.Errorf("%q in pieces of %d: %+v, seen %d, want %+v, seen %d", stream, size, got, seen, want, wantSeen)
			}
		}
	})
}

// An event like the one before is recognized.
func TestEventsThatDifferInTheirTextAreRemembered(t *testing.T) {
	s := NewScanner(typeEvents)
	event := func(text string) []byte {
		return []byte(`data: {"choices":[{"delta":{"content":"` + text + `"}}]}` + "\n\n")
	}
	_, _ = s.Write(append(event("a"), event("b")...))
	for text, want := range map[string]bool{"c": true, `\"\n`: true, "ä": true, "": false, "\xff": false, `\u0041`: false, `","x":"`: false, "\n": false, strings.Repeat("x", 10_000): true} {
		if got := s.shape.match(event(text)) == len(event(text)); got != want {
			t.Errorf("%.20q is remembered: %v, want %v", text, got, want)
		}
	}
}
