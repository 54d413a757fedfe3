package orchestrator

import (
	"fmt"
	"time"
)

// Kind is what went wrong in words that every front door can translate.
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
)

// Error is an answer for the caller. Its text names no secret and nothing of
// another identity.
type Error struct {
	Kind       Kind
	Code       string // machine-readable, e.g. MODEL_NOT_AVAILABLE
	Hint       string // what to do
	RetryAfter time.Duration
	Policy     string // the admission policy that refused, if one did
}

// Error gives the code and the hint.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Hint) }

func fail(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Hint: fmt.Sprintf(format, args...)}
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
