package orchestrator

import (
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// letters is a text of that many letters, of which none is in memory.
type letters int

func (l *letters) Read(p []byte) (int, error) {
	n := min(len(p), int(*l))
	if n == 0 {
		return 0, io.EOF
	}
	for i := range n {
		p[i] = 'x'
	}
	*l -= letters(n)
	return n, nil
}

// TestLargeCallsAreReceivedInPieces receives and stores 20 calls at once that have
// 200 MiB together. What a call needs is a few pieces of 255 KiB, and what the collector
// has not yet collected.
func TestLargeCallsAreReceivedInPieces(t *testing.T) {
	const (
		calls  = 20
		size   = 10 << 20
		most   = 60 << 20
		sample = 10 * time.Millisecond
	)
	o := callTaker(t, Settings{}, time.Now) // without a slot: none is dispatched
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	before, peak := memory.HeapInuse, uint64(0)
	var sending sync.WaitGroup
	for range calls {
		sending.Go(func() {
			text := letters(size)
			body := io.MultiReader(strings.NewReader(`{"model":"m","x":"`), &text, strings.NewReader(`"}`))
			if _, err := o.SubmitCall(t.Context(), ci, CallRequest{Operation: chatOperation, Body: body}); err != nil {
				t.Error(err)
			}
		})
	}
	sent := make(chan struct{})
	go func() { defer close(sent); sending.Wait() }()
	ticker := time.NewTicker(sample)
	defer ticker.Stop()
	for receiving := true; receiving; {
		select {
		case <-sent:
			receiving = false
		case <-ticker.C:
		}
		runtime.ReadMemStats(&memory)
		peak = max(peak, memory.HeapInuse)
	}
	t.Logf("the heap grew from %d to %d MiB; the system gave %d MiB", before>>20, peak>>20, memory.Sys>>20)
	if got := len(bodiesOf(t, o)); got != calls {
		t.Errorf("%d bodies are stored, want %d", got, calls)
	}
	if peak > before+most {
		t.Errorf("the heap grew by %d MiB for bodies of %d MiB, want at most %d", (peak-before)>>20, calls*size>>20, most>>20)
	}
}
