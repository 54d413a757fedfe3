package usage

import (
	"strings"
	"testing"
)

// A stream costs no memory for each event, however long it and its events are.
func TestEventsCostNoMemory(t *testing.T) {
	event := []byte(`data: {"model":"m","choices":[{"delta":{"content":"` + strings.Repeat("x", 1<<20) + `"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n\n")
	for name, event := range map[string][]byte{
		"text":                   event,
		"a figure of 1 MiB":      []byte(`data: {"usage":{"prompt_tokens":` + strings.Repeat("1", 1<<20) + "}}\n\n"),
		"a name of 1 MiB":        []byte(`data: {"\u0020` + strings.Repeat("x", 1<<20) + `":1}` + "\n\n"),
		"a line without a colon": []byte(strings.Repeat("x", 1<<20) + "\n\n"),
		"nested":                 []byte("data: " + strings.Repeat(`{"usage":`, 1<<17) + "\n\n"),
	} {
		s := NewScanner(typeEvents)
		_, _ = s.Write(event)
		if n := testing.AllocsPerRun(5, func() { _, _ = s.Write(event) }); n > 1 { // 1: the error of jsonbody
			t.Errorf("%s: %v allocations for an event", name, n)
		}
	}
}

// Of a member that is longer than its bound nothing is kept.
func TestLongMembersAreNotKept(t *testing.T) {
	for size, want := range map[int]int{maxValue - 2: maxValue - 2, maxValue - 1: 0, 1 << 20: 0} {
		got, _ := read(typeJSON, `{"model":"`+strings.Repeat("m", size)+`","usage":{"prompt_tokens":3}}`, 100)
		if len(got.Model) != want || got.Input != 3 {
			t.Errorf("of a model of %d bytes %d are kept, want %d", size, len(got.Model), want)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-9f1c2b7a4e5d4f0b","object":"chat.completion.chunk","created":1764484000,"model":"qwen3-8b-instruct",` +
		`"choices":[{"index":0,"delta":{"content":" the"},"logprobs":null,"finish_reason":null}],"usage":null,"system_fingerprint":"fp_1"}` + "\n\n")
	b.ReportAllocs()
	for b.Loop() {
		s := NewScanner(typeEvents)
		for range 64 {
			_, _ = s.Write(event)
		}
		if s.Close(); s.Seen() != 64 {
			b.Fatal(s.Seen())
		}
	}
}
