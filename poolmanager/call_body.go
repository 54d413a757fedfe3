package poolmanager

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

var (
	errBodySize = errors.New("the request is larger than this pool takes")
	errBodyTime = errors.New("the request did not come in time")
	errBodyGone = errors.New("the connection ended before the request did")
)

// callBody is the request of a native call on its way to the engine: a piece at a time,
// each scanned before any byte of it is sent. What is refused therefore never reaches
// the engine as a whole request.
type callBody struct {
	in      io.Reader
	control *http.ResponseController
	limit   time.Duration // for each piece to come
	size    int64         // of the request as it comes
	scan    *scanner
	places  nodeapi.Places
	whole   chan struct{} // closed when all of it is here

	mu     sync.Mutex // the transport may read on after its answer
	edit   editor
	raw    []byte
	out    []byte // what is to be sent of the last piece
	at     int    // how much of it was
	read   int64  // bytes of the request that were read
	pieces int
	failed error // why nothing more comes
}

// newCallBody reads the first piece. A request that is refused within it reaches no
// engine at all.
func newCallBody(w http.ResponseWriter, r *http.Request, limit time.Duration, rules *requestRules, places nodeapi.Places) (*callBody, error) {
	b := &callBody{
		in: r.Body, control: http.NewResponseController(w), limit: limit, size: r.ContentLength, scan: rules.scanner(), places: places,
		whole: make(chan struct{}),
	}
	if b.size == 0 {
		close(b.whole)
		return b, nil
	}
	b.raw = make([]byte, min(b.size, nodeapi.MaxPieceBytes))
	return b, b.fill()
}

// fill reads the next piece into raw.
func (b *callBody) fill() error {
	piece := b.raw[:min(int64(len(b.raw)), b.size-b.read)]
	// An error here is that of a connection that is gone, which the reading has, too.
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit))
	n, err := io.ReadFull(b.in, piece)
	_ = b.control.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %d of %d bytes came", errBodyTime, b.read+int64(n), b.size)
	case err != nil:
		return fmt.Errorf("%w: %w", errBodyGone, err)
	}
	if err := b.scan.read(piece); err != nil {
		return err
	}
	b.raw = b.raw[:len(piece)]
	if b.read += int64(n); b.read < b.size {
		return nil
	}
	if err := b.scan.Close(); err != nil {
		return scanError(err)
	}
	if m, ok := b.scan.Member("model"); b.places.Model[1] > 0 && (!ok || m.Start != b.places.Model[0] || m.End != b.places.Model[1]) {
		return fmt.Errorf("%w: places do not name the model's value", errTask)
	}
	close(b.whole)
	return nil
}

// next makes the next piece ready to be sent; the caller holds the lock.
func (b *callBody) next() error {
	if b.failed != nil {
		return b.failed
	}
	if b.pieces > 0 {
		if b.read == b.size {
			b.failed = io.EOF
			return io.EOF
		}
		if b.failed = b.fill(); b.failed != nil {
			return b.failed
		}
	}
	b.pieces++
	b.out, b.at = b.edit.pass(b.out[:0], b.raw), 0
	return nil
}

// reader gives the body to one attempt to send it.
func (b *callBody) reader() io.ReadCloser { return &bodyReader{body: b} }

var errSent = errors.New("a part of the request was sent already")

// rewind gives the body anew, for a connection that turned out to be closed: as long as
// no more than its first piece was asked for.
func (b *callBody) rewind() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pieces > 1 || b.failed != nil && !errors.Is(b.failed, io.EOF) {
		return nil, errSent
	}
	b.at, b.failed = 0, nil
	return b.reader(), nil
}

// refused is why the body came to its end early; nil if it did not.
func (b *callBody) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(b.failed, io.EOF) {
		return nil
	}
	return b.failed
}

// bodyReader is one attempt. After Close it gives nothing more.
type bodyReader struct {
	body   *callBody
	closed bool
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.closed {
		return 0, errSent
	}
	for b.at == len(b.out) {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.out[b.at:])
	b.at += n
	return n, nil
}

// Close implements io.Closer.
func (r *bodyReader) Close() error {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.closed = true
	return nil
}

// isWhole reports whether all of the body is here.
func (b *callBody) isWhole() bool {
	select {
	case <-b.whole:
		return true
	default:
		return false
	}
}

// drain reads what is left, so that the caller, which is still sending, can read the
// answer.
func (b *callBody) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit))
	// An error, or more than was announced, costs the connection and nothing else.
	_, _ = io.CopyN(io.Discard, b.in, b.size)
	_ = b.control.SetReadDeadline(time.Time{})
}
