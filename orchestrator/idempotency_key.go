package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// idempotent is the record of an Idempotency-Key.
type idempotent struct {
	TaskID string `json:"task_id"`
	Body   string `json:"body"` // digest of the request
	Owner  string `json:"owner,omitempty"`
}

// keyGrace is how long after its key a retry may still make the task: a crash
// between the two, a restart, and the client's retries. A task that is unknown later
// has ended and was deleted, and must not run a second time.
const keyGrace = time.Minute

// remember ties the key to this request's task id, on disk, before the task is
// made: after a crash between the two the same key makes the same task.
func (o *Orchestrator) remember(ctx context.Context, who Who, key string, digest requestDigest, r *TaskRequest) (*taskEntry, error) {
	b, id := o.store.Bucket(store.Idempotency), keyOf(who.Identity, key)
	if o.keys.admits(keyOwner(who.Identity)) {
		if err := o.writeKey(ctx, id, idempotent{r.TaskID, digest.is, keyOwner(who.Identity)}); !errors.Is(err, store.ErrExists) {
			return nil, err
		}
	}
	stored, err := b.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, o.rejected(*r, "keys", tooManyKeys())
	}
	if err != nil {
		return nil, err
	}
	var earlier idempotent
	if err := json.Unmarshal(stored.Value, &earlier); err != nil {
		return nil, fmt.Errorf("decoding idempotency key: %w", err)
	}
	if !digest.of(earlier.Body) {
		return nil, fail(Conflict, "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used with another body")
	}
	r.TaskID = earlier.TaskID
	e, _ := o.find(who, earlier.TaskID)
	if e == nil && o.now().Sub(stored.Created) > keyGrace {
		return nil, fail(Conflict, "IDEMPOTENCY_KEY_SPENT", "the task of this Idempotency-Key has ended and is no longer known; to run it again, send another key")
	}
	return e, nil
}

// writeKey writes a new key.
func (o *Orchestrator) writeKey(ctx context.Context, id string, made idempotent) error {
	value, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("encoding idempotency key: %w", err)
	}
	if _, err := o.store.Bucket(store.Idempotency).Create(ctx, id, value); err != nil {
		return err
	}
	o.keys.add(id, made.Owner, o.now())
	return nil
}

func tooManyKeys() *Error {
	e := fail(Busy, "TOO_MANY_KEYS", "your Idempotency-Keys of the last 24 h fill your share of what is kept; send the task without one, or later")
	e.RetryAfter = time.Minute
	return e
}

// earlier gives the task that the same request made under its key before; nil without such a
// task or without a key.
func (o *Orchestrator) earlier(ctx context.Context, who Who, key string, digest requestDigest) *taskEntry {
	if key == "" {
		return nil
	}
	stored, err := o.store.Bucket(store.Idempotency).Get(ctx, keyOf(who.Identity, key))
	var made idempotent
	if err != nil || json.Unmarshal(stored.Value, &made) != nil || !digest.of(made.Body) {
		return nil
	}
	e, _ := o.find(who, made.TaskID)
	return e
}

// unused refuses a new key for a task_id that another request has taken: the key would
// be tied to that request's task, and its caller would take it for its own.
func (o *Orchestrator) unused(ctx context.Context, who Who, key, taskID string, ownID bool) error {
	if !ownID {
		return nil // it was made just now
	}
	if _, err := o.find(Who{Admin: true}, taskID); errors.Is(err, store.ErrUnavailable) {
		return err
	} else if err != nil {
		return nil // it is free
	}
	_, err := o.store.Bucket(store.Idempotency).Get(ctx, keyOf(who.Identity, key))
	if errors.Is(err, store.ErrNotFound) {
		return taskExists()
	}
	return err
}

// used refuses to go on with a call of which there is no key: it would be run again, and
// its caller would append the end of one answer to the beginning of another.
func (o *Orchestrator) used(ctx context.Context, who Who, key string) error {
	_, err := o.store.Bucket(store.Idempotency).Get(ctx, keyOf(who.Identity, key))
	if errors.Is(err, store.ErrNotFound) {
		return fail(Conflict, "IDEMPOTENCY_KEY_SPENT", "no call with this Idempotency-Key is known, and so none to go on with; to run it again, leave Last-Event-ID out")
	}
	return err
}

func taskExists() *Error { return fail(Conflict, "TASK_EXISTS", "this task_id is taken") }

func keyOf(identity, key string) string {
	sum := sha256.Sum256([]byte(identity + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

// requestDigest identifies a request. was is the digest of older versions, which filled
// in a default deadline first.
type requestDigest struct{ is, was string }

func (d requestDigest) of(kept string) bool { return kept == d.is || kept == d.was }

func digestOf(r TaskRequest) (d requestDigest, err error) {
	if d.is, err = digestText(r); err != nil {
		return d, err
	}
	setDefault(&r.DeadlineMS, DefaultDeadline.Milliseconds())
	d.was, err = digestText(r)
	return d, err
}

func digestText(r TaskRequest) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encoding task request: %w", err)
	}
	if r.call != nil {
		text = append(text, r.call.identity()...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
