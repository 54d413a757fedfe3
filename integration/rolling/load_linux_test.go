//go:build rolling

package rolling_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// load is clients that go on until they are stopped.
type load struct {
	fleet *fleet
	stop  chan struct{}
	all   sync.WaitGroup

	mu     sync.Mutex
	tasks  []*task
	chats  []chat
	errors []error
}

// task is one that was acknowledged, and what its reader has seen.
type task struct {
	id     string
	native bool
	events []event
}

// fail notes what a client must not see.
func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors = append(l.errors, err)
}

// begin starts clients of all kinds.
func (f *fleet) begin() *load {
	l := &load{fleet: f, stop: make(chan struct{})}
	prompts, natives := func() { l.task(promptTask, false) }, func() { l.task(nativeTask, true) }
	for _, one := range []func(){prompts, prompts, natives, l.chat, l.chat} {
		l.all.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				case <-time.After(time.Duration(10+rand.IntN(60)) * time.Millisecond):
					one()
				}
			}
		})
	}
	return l
}

// end lets the clients finish what they have begun.
func (l *load) end() {
	close(l.stop)
	l.all.Wait()
}

const (
	promptTask = `{"model_ref":"demo","prompt":"hello","max_tokens":30}`
	nativeTask = `{"native":{"protocol":"chat","body":{"model":"demo","max_tokens":30,"messages":[{"role":"user","content":"hello"}]}}}`
	// giveUp is when a client does not believe in an answer any more.
	giveUp = 90 * time.Second
)

// task submits one, with a key so that it can ask again, and reads it to its end.
func (l *load) task(body string, native bool) {
	id, err := l.submit(body)
	switch refused, ok := errors.AsType[*refusal](err); {
	case ok && native && refused.status == http.StatusUnprocessableEntity:
		return // no replica or node can, as yet
	case err != nil:
		l.fail(fmt.Errorf("submitting (native: %t): %w", native, err))
		return
	}
	t := &task{id: id, native: native}
	l.mu.Lock()
	l.tasks = append(l.tasks, t)
	l.mu.Unlock()
	t.events, err = l.fleet.read(id)
	if err != nil {
		l.fail(fmt.Errorf("reading %s (native: %t): %w", id, native, err))
	}
}

// submit asks until the task is acknowledged or refused.
func (l *load) submit(body string) (id string, err error) {
	key := fmt.Sprint("key-", rand.Uint64())
	for end := time.Now().Add(giveUp); time.Now().Before(end); <-time.After(tryPause) {
		var admission struct {
			ID string `json:"task_id"`
		}
		err = (client{base: l.fleet.clients.URL}).post("/v2/tasks", body, &admission, "Idempotency-Key", key)
		refused, ok := errors.AsType[*refusal](err)
		if err == nil || ok && refused.status < 500 && refused.status != http.StatusTooManyRequests {
			return admission.ID, err
		}
	}
	return "", err
}

// read follows a task as a client does: where a stream breaks off, it goes on after the
// last event, at the next replica.
func (f *fleet) read(id string) (all []event, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	for last := ""; ctx.Err() == nil; <-time.After(tryPause) {
		var headers []string
		if last != "" {
			headers = []string{"Last-Event-ID", last}
		}
		res, sendErr := (client{base: f.clients.URL}).send(ctx, "GET", "/v2/tasks/"+id+"/events", "", headers...)
		if sendErr != nil {
			err = sendErr
			continue
		}
		var events []event
		events, err = readEvents(res)
		all = append(all, events...)
		if n := len(all); n > 0 {
			if last = all[n-1].id; all[n-1].ends() {
				return all, nil
			}
		}
	}
	return all, fmt.Errorf("no end, %d events: %w", len(all), err)
}
