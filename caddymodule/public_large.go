package caddymodule

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

// A body that goes on to the upstream while it still comes holds a thread there until
// its end, or until public_body is over: eight clients that send the first 64 KiB and
// then nothing would stop an engine of eight threads. So a larger body is read into
// memory too, within limits, and of those that are larger still only a few are forwarded
// at once.
const (
	// largeBuffer bounds what is gathered of one body, beyond [publicBuffer].
	largeBuffer = 4 << 20
	// largeMemory bounds what is gathered of all bodies at one guard.
	largeMemory = 64 << 20
	// slotsPerLarge is how many slots of a client there are for one body that is
	// larger still: by default four bodies of one client.
	slotsPerLarge = 4
	// totalPerLarge is the same for all clients: by default four bodies, half of what
	// stops an engine of eight threads.
	totalPerLarge = 64
	// largeWait bounds how long such a body waits for its turn.
	largeWait = 10 * time.Second
)

// gather reads on after the beginning of a body. A body that does not end within what
// may be gathered needs a turn.
func (b *publicBody) gather(r *http.Request, rule publicRule) (*net.Buffers, *authmin.Problem) {
	rest := new(net.Buffers)
	for size := 0; size < largeBuffer && b.slot.reserveMemory(publicBuffer); size += publicBuffer {
		chunk := make([]byte, publicBuffer)
		n, _ := io.ReadFull(b, chunk)
		*rest = append(*rest, chunk[:n])
		switch {
		case b.slot.wasLate():
			return nil, &problemPublicLate
		case errors.Is(b.ended, io.EOF):
			return rest, nil
		case b.ended != nil:
			return nil, &problemPublicBroken
		}
	}
	if !b.acquireLarge(r, rule) {
		return nil, &problemPublicLarge
	}
	return rest, nil
}

// reserveMemory reports whether so much more may be gathered.
func (s *publicSlot) reserveMemory(bytes int64) bool {
	if s.limiter.gathered.Add(bytes) > largeMemory {
		s.limiter.gathered.Add(-bytes)
		return false
	}
	s.gathered += bytes
	return true
}

// releaseMemory is called with the end of the request.
func (s *publicSlot) releaseMemory() {
	if s.gathered == 0 { // nor ever more, in a slot among the large bodies
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

// acquireLarge takes a turn for the rest of a large body, and reports whether there is
// one. The time for the rest counts from then.
//
// On HTTP/1.1 it waits for one. On HTTP/2 and HTTP/3 a body that is not read takes what
// its connection may send, and with that the bodies of the same connection that have
// their turn: there it does not wait.
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
	Title: "Too many large bodies without a token are on their way",
	Hint:  "Wait as long as Retry-After says, and send fewer of them at once. Routes that need a token are not affected.",
}
