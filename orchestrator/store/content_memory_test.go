package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	manyBodies = 20
	bodyPieces = 64
	bodyPiece  = 255 << 10
)

// TestALargeBodyCostsAFewPiecesOfMemory stores, reads and removes twenty bodies of 16 MiB
// at once, at the pace that the programs choose for the collector. Of what they have
// together the heap grows by a tenth to a third on two cores, and by more than all of it
// where no garbage is collected in between.
func TestALargeBodyCostsAFewPiecesOfMemory(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	const most = manyBodies * bodyPieces * bodyPiece / 2
	c := open(t, t.TempDir()).Content()
	piece := bytes.Repeat([]byte("0123456789abcde\n"), bodyPiece/16)
	for _, step := range []struct {
		name string
		do   func(id string) error
	}{
		{"storing", func(id string) (err error) {
			for n := 0; err == nil && n < bodyPieces; n++ {
				err = c.Put(t.Context(), id, n, piece)
			}
			return err
		}},
		{"reading", func(id string) (err error) {
			for n := 0; err == nil && n < bodyPieces; n++ {
				_, err = c.Piece(t.Context(), id, n)
			}
			return err
		}},
		{"removing", func(id string) (err error) {
			for range 10 { // twenty at once may take longer than one may take
				if err = c.Forget(t.Context(), id); !errors.Is(err, store.ErrUnavailable) {
					break
				}
			}
			return err
		}},
	} {
		debug.FreeOSMemory()
		before := heapBytes()
		peak := peakOf(t, func() {
			var all sync.WaitGroup
			for i := range manyBodies {
				all.Go(func() {
					if err := step.do(fmt.Sprint("body", i)); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
		t.Logf("%s: the heap had %d MiB, and %d at the most", step.name, before>>20, peak>>20)
		if peak > before+most {
			t.Errorf("%s: the heap grew by %d MiB for %d bodies of 16 MiB, want at most %d", step.name, (peak-before)>>20, manyBodies, most>>20)
		}
	}
}

// TestTheOperatorsPaceOfTheCollectorWins: without GOGC the garbage of bodies is collected
// while they pass, here by nothing else; with it that is the operator's.
func TestTheOperatorsPaceOfTheCollectorWins(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	piece := make([]byte, bodyPiece)
	for gogc, collects := range map[string]bool{"": true, "100": false} {
		t.Setenv("GOGC", gogc)
		c := open(t, t.TempDir()).Content()
		runtime.GC()
		before := forced()
		for n := range 2 * bodyPieces { // each leaves its bytes several times over
			if err := c.Put(t.Context(), "a", n, piece); err != nil {
				t.Fatal(err)
			}
		}
		if got := forced() > before; got != collects {
			t.Errorf("GOGC=%s: collected is %v, want %v", gogc, got, collects)
		}
	}
}

// forced is how many collections were asked for.
func forced() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumForcedGC
}

// peakOf gives the most that the heap had while f ran.
func peakOf(t *testing.T, f func()) (peak uint64) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		peak = max(peak, heapBytes())
		select {
		case <-done:
			return peak
		case <-again.C:
		}
	}
}

// heapBytes is the memory of objects and of what is free between them.
func heapBytes() uint64 {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(heap)
	return heap[0].Value.Uint64() + heap[1].Value.Uint64()
}

// TestEachPieceIsAFileAfterARestart: the server chooses the size of its files anew at each
// start, and only for a stream that is made then.
func TestEachPieceIsAFileAfterARestart(t *testing.T) {
	dir := t.TempDir()
	piece := make([]byte, bodyPiece)
	for start := range 2 {
		st, err := store.Open(t.Context(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			if err := st.Content().Put(t.Context(), "a", n, piece); err != nil {
				t.Fatal(err)
			}
		}
		if files := contentFiles(t, dir); len(files) != 4 {
			t.Errorf("start %d: four pieces are in %d files of %d bytes", start, len(files), files)
		}
		if err := st.Content().Forget(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if files := contentFiles(t, dir); slices.Max(files) > 1000 {
			t.Errorf("start %d: files of %d bytes are left of a removed body", start, files)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// contentFiles gives the sizes of the files that the bodies are in.
func contentFiles(t *testing.T, dir string) (sizes []int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "jetstream", "jetstream", "*", "streams", "content", "msgs", "*.blk"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files of bodies in %s: %v", dir, err)
	}
	for _, name := range names {
		if file, err := os.Stat(name); err == nil {
			sizes = append(sizes, file.Size())
		}
	}
	return sizes
}
