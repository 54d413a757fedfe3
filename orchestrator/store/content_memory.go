package store

import (
	"context"
	"errors"
	"runtime"
	"runtime/metrics"
	"sync"

	"github.com/llorch/gateway/authmin/gcpace"
	"github.com/nats-io/nats.go/jetstream"
)

// smallBlocks is a bound of a stream (MaxBytes) for which the server chooses its smallest
// block files, of 32 KB: it makes them as large as a quarter of the bound, up to 8 MiB.
const smallBlocks = 1

// remakeContent makes the stream of bodies with small blocks, unless it has bodies. A
// piece is then a file of its own. To read or remove one of a block of 8 MiB, the server
// loads the whole block, and the bodies that arrive together share their blocks.
//
// The server chooses the size of the blocks when it makes a stream or opens one, by the
// bound that the stream has then. Bodies that were stored before this start keep the
// blocks that they have; those that come beside them share blocks of 8 MiB until a start
// finds none.
func remakeContent(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	stream, err := js.Stream(ctx, contentStream)
	switch {
	case err == nil && stream.CachedInfo().State.Msgs > 0:
		return nil
	case err == nil:
		err = js.DeleteStream(ctx, contentStream)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		err = nil
	}
	if err != nil {
		return err
	}
	want.MaxBytes = smallBlocks // the caller raises it
	_, err = js.CreateStream(ctx, want)
	return err
}

// garbageBytes is how much garbage the bodies that pass through the store may leave before
// it is collected, or a quarter of the heap where that is more.
const garbageBytes = 16 << 20

// heapPacer collects garbage while bodies pass through the store. The server, its client
// and the files each have a buffer for each piece, and the server keeps its own until
// they have been garbage several times over: at the collector's own pace they add up to
// several times the heap. With GOGC in the environment it leaves the pace to the operator.
type heapPacer struct {
	off      bool
	sampling sync.Mutex
	heap     [2]metrics.Sample
}

func newHeapPacer() *heapPacer {
	return &heapPacer{off: gcpace.OperatorsOwn(), heap: [2]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}}
}

// passed is called after each piece. It may take as long as a collection.
func (p *heapPacer) passed() {
	if p.off || !p.sampling.TryLock() { // another piece's caller looks
		return
	}
	defer p.sampling.Unlock()
	metrics.Read(p.heap[:])
	objects, live := p.heap[0].Value.Uint64(), p.heap[1].Value.Uint64()
	if objects > live+max(garbageBytes, live/4) {
		runtime.GC()
	}
}
