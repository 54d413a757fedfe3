package jsonbody

import (
	"bytes"
	"strings"
	"testing"
)

// event is one of the many of a streamed chat, as llama.cpp and vLLM send them.
var event = []byte(`{"id":"chatcmpl-9f1c2b7a4e5d4f0b","object":"chat.completion.chunk","created":1764484000,"model":"qwen3-8b-instruct",` +
	`"choices":[{"index":0,"delta":{"content":" the"},"logprobs":null,"finish_reason":null}],"usage":null,"system_fingerprint":"fp_1"}`)

// image is a request with one of 4 MiB.
var image = []byte(`{"model":"qwen3-vl","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
	strings.Repeat("iVBORw0KGgo/AAAA", 4<<20/16) + `"}}]}],"stream":true}`)

// prose is a request with much text that is no plain ASCII.
var prose = []byte(`{"model":"m","messages":[` + strings.Repeat(`{"role":"user","content":"Grüße, 世界!\nfunc main() {\n\tfmt.Println(\"x\")\n}"},`, 10_000) + `{}]}`)

func BenchmarkScanner(b *testing.B) {
	noop := func([]string, string) error { return nil }
	for _, c := range []struct {
		name     string
		document []byte
		options  Options
	}{
		{"event", event, Options{Watch: []string{"model", "usage"}}},
		{"image", image, Options{Watch: []string{"model", "stream", "n"}}},
		{"image with String", image, Options{Watch: []string{"model", "stream", "n"}, String: noop}},
		{"prose", prose, Options{Watch: []string{"model", "stream", "n"}}},
		{"prose with String", prose, Options{Watch: []string{"model", "stream", "n"}, String: noop}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := New(c.options)
			b.SetBytes(int64(len(c.document)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				if _, err := s.Write(c.document); err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestNoAllocation holds that a document costs no memory once a Scanner has read
// one like it, however large it is.
func TestNoAllocation(t *testing.T) {
	names := []byte(`{"model":1,"\n` + strings.Repeat("long", 1<<20) + `":{"usage":"` + strings.Repeat(`\n`, 1<<20) + `"}}`)
	for name, document := range map[string][]byte{"event": event, "image": image, "prose": prose, "a name of 4 MiB": names} {
		s := New(Options{Watch: []string{"model", "usage", "messages.content"}})
		allocations := testing.AllocsPerRun(2, func() {
			s.Reset()
			for part := range bytes.SplitAfterSeq(document, []byte{','}) {
				if _, err := s.Write(part); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations, want none", name, allocations)
		}
		if kept := cap(s.head) + cap(s.nodes[1].raw) + cap(s.nodes[2].raw); kept > 3*maxRaw {
			t.Errorf("%s: %d bytes kept", name, kept)
		}
	}
}
