package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrFull is answered when bodies, or new keys, have no more room.
var ErrFull = errors.New("no more room")

// What a bucket answers when the key is not as the caller expected.
var (
	ErrNotFound = errors.New("no such key")
	ErrExists   = errors.New("key exists already")
	ErrConflict = errors.New("key was changed concurrently")
)

// ErrUnavailable is answered while the state cannot be reached: no quorum, no leader,
// no connection, or no answer in time. The outcome of such a write is unknown: read
// the key before relying on it.
var ErrUnavailable = errors.New("state unavailable")

// Error codes of the JetStream API that mean "not now". The client library has
// no names for them; they are those of the server's errors.json.
const (
	codeClusterIncomplete  jetstream.ErrorCode = 10004
	codeClusterNoPeers     jetstream.ErrorCode = 10005
	codeClusterNotLeader   jetstream.ErrorCode = 10009
	codeClusterUnavailable jetstream.ErrorCode = 10008
	codeInsufficient       jetstream.ErrorCode = 10023
	codeStreamOffline      jetstream.ErrorCode = 10118
	// codeWrongLastInFlight is "wrong last sequence" while another write of the
	// same key is being replicated; 10071 is the final form.
	codeWrongLastInFlight jetstream.ErrorCode = 10164
)

func unavailable(err error) bool {
	for _, e := range []error{
		nats.ErrNoResponders, nats.ErrTimeout, nats.ErrConnectionClosed, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, jetstream.ErrNoStreamResponse, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return refused(err)
}

// refused reports that a server answered that it cannot do it now: it had no effect.
func refused(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return false
	}
	switch api.ErrorCode {
	case codeClusterIncomplete, codeClusterNoPeers, codeClusterNotLeader, codeClusterUnavailable, codeInsufficient, codeStreamOffline:
		return true
	}
	return api.Code == 503
}

// explain names an error of a bucket's key the way callers match it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted), errors.Is(err, jetstream.ErrMsgNotFound):
		return ErrNotFound
	case errors.Is(err, jetstream.ErrKeyExists), hasCode(err, codeWrongLastInFlight):
		return ErrExists
	case unavailable(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func hasCode(err error, code jetstream.ErrorCode) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == code
}

// notAccepted reports that no server took the request, or that one refused it, so that
// a retry is safe.
func notAccepted(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) || refused(err)
}
