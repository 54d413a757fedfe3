package orchestrator

import (
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

// Kind classifies an error, so that each API can translate it.
type Kind int

// The kinds of error that a caller can do something about.
const (
	Invalid     Kind = iota + 1 // the request makes no sense: 422
	NotFound                    // no such thing, or not this caller's: 404
	Forbidden                   // it belongs to another identity: 403
	Conflict                    // the state does not allow it: 409
	TooLarge                    // a bound on size was passed: 413
	Busy                        // a bound on number was reached, come back: 429
	Unavailable                 // cannot now: 503
	Malformed                   // it cannot be read, or has several readings: 400
)

// Error is an answer for the caller. Its text names no secret and nothing of
// another identity.
type Error struct {
	Kind       Kind
	Code       string // machine-readable, e.g. MODEL_NOT_AVAILABLE
	Hint       string // what to do
	RetryAfter time.Duration
	Policy     string          // the admission policy that refused, if one did
	Member     string          // of an engine's own request, that is wrong; "" for none
	Models     *authmin.Models // of MODEL_NOT_ALLOWED: what the identity may use
}

// Error gives the code and the hint.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Hint) }

func fail(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Hint: fmt.Sprintf(format, args...)}
}

// ofMember gives an error that a member of an engine's own request has caused. Its text
// names the member, too: not every SDK shows it otherwise.
func ofMember(name string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	named := *e
	named.Member, named.Hint = name, name+": "+e.Hint
	return &named
}

// unreachable is the Retry-After of a store without a leader: an election takes about 2 s, in
// an existing NATS cluster 4 to 9 s.
const unreachable = 2 * time.Second

// AsError gives the answer that err has for the caller, if it has one.
func AsError(err error) (*Error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, true
	}
	if errors.Is(err, store.ErrUnavailable) {
		e := fail(Unavailable, "STATE_UNAVAILABLE", "too few replicas of the state answer; what was read before can still be read. Send it again, with an Idempotency-Key")
		e.RetryAfter = unreachable
		return e, true
	}
	if errors.Is(err, store.ErrFull) {
		return fail(Unavailable, "STORE_FULL", "the keys of what tasks contain have no more room; send it again later"), true
	}
	return nil, false
}

func noSuchTask() *Error {
	return fail(NotFound, "TASK_NOT_FOUND", "no task of yours has this id")
}

// stopping is the answer to new work while the orchestrator stops: another
// replica takes it, or this one after its restart.
func stopping() *Error {
	e := fail(Unavailable, "STOPPING", "the orchestrator is stopping")
	e.RetryAfter = time.Second
	return e
}
