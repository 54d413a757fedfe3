package caddymodule

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

// A body that is forwarded while it is still arriving occupies a thread of the upstream
// until its end, or until public_body expires: eight clients that send 64 KiB and then
// nothing would stop an engine with eight threads. So larger bodies are buffered in
// memory too, within limits, and only a few of those that exceed the limits are forwarded
// at once.
const (
	// largeBuffer bounds the buffer of one body, beyond [publicBuffer].
	largeBuffer = 4 << 20
	// largeMemory bounds the buffers of all bodies at one guard.
	largeMemory = 64 << 20
	// slotsPerLarge is the number of a client's slots for one slot for a large body: by
	// default four large bodies of one client.
	slotsPerLarge = 4
	// totalPerLarge is the same for all clients: by default four bodies, half of what
	// stops an engine with eight threads.
	totalPerLarge = 64
	// largeWait bounds how long a large body waits for a slot.
	largeWait = 10 * time.Second
)

// gather reads and buffers a body after its beginning. A body that does not fit into the
// buffer needs a slot for a large body.
func (b *publicBody) gather(r *http.Request, rule publicRule) (*net.Buffers, *authmin.Problem) {
	rest := new(net.Buffers)
	for size := 0; size < largeBuffer && b.slot.reserveMemory(publicBuffer); size += publicBuffer {
		chunk := make([]byte, publicBuffer)
		n, _ := io.ReadFull(b, chunk)
		*rest = append(*rest, chunk[:n])
		switch {
		case b.slot.wasLate():
			return nil, &problemBodyLate
		case errors.Is(b.ended, io.EOF):
			return rest, nil
		case b.ended != nil:
			return nil, &problemBodyCut
		}
	}
	if !b.acquireLarge(r, rule) {
		return nil, &problemPublicLarge
	}
	return rest, nil
}

// reserveMemory reserves memory for a part of a body, and reports whether it was free.
func (s *publicSlot) reserveMemory(bytes int64) bool {
	if s.limiter.gathered.Add(bytes) > largeMemory {
		s.limiter.gathered.Add(-bytes)
		return false
	}
	s.gathered += bytes
	return true
}

// releaseMemory is called at the end of the request.
func (s *publicSlot) releaseMemory() {
	if s.gathered == 0 { // always for a slot for large bodies
		return
	}
	s.limiter.gathered.Add(-s.gathered)
	s.gathered = 0
}

// forLarge is the rule for large bodies.
func (r publicRule) forLarge() publicRule {
	return publicRule{
		inflight: max(1, r.inflight/slotsPerLarge), total: max(1, r.total/totalPerLarge),
		body: r.body, wait: min(r.body, largeWait),
	}
}

// acquireLarge acquires a slot for the rest of a large body, and reports whether there was
// one. The time for the rest starts then.
//
// On HTTP/1.1 it waits for a slot. On HTTP/2 and HTTP/3 it does not: a body that is not
// read uses up the flow control window of its connection, and would block other bodies on
// the same connection that have a slot.
func (b *publicBody) acquireLarge(r *http.Request, rule publicRule) bool {
	large, wait := rule.forLarge(), r.ProtoMajor == 1
	if wait && b.control.SetReadDeadline(time.Now().Add(large.wait+publicWait+rule.body)) != nil {
		return false
	}
	b.slot.large, _ = b.slot.limiter.large.acquire(r.Context(), b.slot.client, large, wait)
	b.deadline = time.Now().Add(rule.body)
	return b.slot.large != nil && b.control.SetReadDeadline(b.deadline) == nil
}

var problemPublicLarge = authmin.Problem{
	Status: http.StatusTooManyRequests, Code: "PUBLIC_LIMIT", CodeNumber: 42903,
	Title: "Too many large bodies without a token are in progress",
	Hint:  "Wait as long as Retry-After says, and send fewer of them at once. Routes that need a token are not affected.",
}
