//go:build unix

package adapter

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// benchEvents is how many events one answer of a benchmark has.
const benchEvents = 1000

// chatEvents is a streamed chat as vLLM sends it, of some words.
func chatEvents(n int) []byte {
	var out bytes.Buffer
	for i := range n {
		fmt.Fprintf(&out, `data: {"id":"chatcmpl-9f1c2b7a4e5d4f0b","object":"chat.completion.chunk","created":1764484000,"model":"qwen3-8b-instruct","choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}]}`+"\n\n", i%50)
	}
	out.WriteString(`data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n")
	return out.Bytes()
}

// cpu is the processor time of this process, which other processes do not lengthen.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkCallChunk measures what one event of a chat costs in the pool manager's
// reader, as a native call and as today's tokens.
func BenchmarkCallChunk(b *testing.B) {
	answer := chatEvents(benchEvents)
	begin := cpu(b)
	perEvent := func(b *testing.B) {
		b.ReportMetric(float64(cpu(b)-begin)/float64(b.N*benchEvents), "cpu-ns/event")
	}
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		begin = cpu(b)
		buffer := []byte{}
		for b.Loop() {
			_, progress := Limits{FirstToken: time.Minute}.watch(b.Context())
			index := 0
			r := &reader{chat: true, made: progress.made, emit: func(text string) error {
				return progress.deliver(func() (err error) {
					index++
					buffer, err = nodeapi.Event{Type: nodeapi.EventToken, Text: text, Index: index}.AppendSSE(buffer[:0])
					return err
				})
			}}
			if _, err := r.read(b.Context(), bytes.NewReader(answer)); err != nil {
				b.Fatal(err)
			}
			progress.stop()
		}
		perEvent(b)
	})
	for _, model := range []string{"", "other"} {
		b.Run("call"+model, func(b *testing.B) {
			b.ReportAllocs()
			begin = cpu(b)
			for b.Loop() {
				ctx, progress := Limits{FirstToken: time.Minute}.watch(b.Context())
				chat, _ := nodeapi.FindOperation("chat")
				r := &callReader{
					call: Call{Operation: chat, Stream: true, HideUsage: true, MaxAnswer: DefaultMaxAnswer}, progress: progress,
					kind: mediaEvents, model: quoted(model), emit: func([]byte, bool) error { return nil },
					scan: answerScanner.Copy(),
				}
				if err := r.readStream(ctx, bytes.NewReader(answer)); err != nil {
					b.Fatal(err)
				}
				if r.pieces != benchEvents {
					b.Fatalf("%d events", r.pieces)
				}
				progress.stop()
			}
			perEvent(b)
		})
	}
}
