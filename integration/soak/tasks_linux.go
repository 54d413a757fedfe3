package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/llorch/gateway/authmin"
)

const (
	// taskLimit is how long an acknowledged task may take to its end, faults included. Its
	// own deadline is far longer, so that none ends for that.
	taskLimit      = 4 * time.Minute
	taskDeadlineMS = 15 * 60 * 1000
	// maxEnded bounds the ended tasks that are asked for again, and keepEnded how long:
	// results are kept for an hour.
	maxEnded  = 4096
	keepEnded = 45 * time.Minute
	// pollPause is between two questions for a task's record.
	pollPause = 500 * time.Millisecond
)

// record is what the orchestrators say of a task (GET /v2/tasks/{id}).
type record struct {
	TaskID    string `json:"task_id"`
	State     string `json:"state"`
	EndedAt   string `json:"ended_at"`
	TokensOut int    `json:"tokens_out"`
	Error     struct {
		Code string `json:"code"`
	} `json:"error"`
}

// task submits one with an Idempotency-Key, reads its events over several connections, and
// compares how it ended.
func (s *soakRun) task(ctx context.Context) {
	key, tokens, secret := uuid.NewString(), 3+rand.IntN(10), s.keys.secret("ci")
	id, ok := s.submit(ctx, secret, key, tokens)
	if !ok {
		return
	}
	began := time.Now()
	if rand.IntN(4) == 0 { // the same key again is the same task
		if again, ok := s.submit(ctx, secret, key, tokens); ok && again != id {
			s.breaks(ruleTwice, "key %s: tasks %s and %s", key, id, again)
		}
	}
	var r reading
	read := rand.IntN(3) > 0
	if read && !s.readTask(ctx, secret, id, &r) {
		return
	}
	got, ok := s.awaitEnd(ctx, secret, id, began)
	if !ok {
		return
	}
	s.compare(id, got, r, read, tokens, began)
	s.ended.add(endedTask{record: got, at: time.Now()})
}

// submit gives the id of the acknowledged task.
func (s *soakRun) submit(ctx context.Context, secret authmin.Secret, key string, tokens int) (id string, ok bool) {
	body := fmt.Sprintf(`{"model_ref":"demo","prompt":"soak","max_tokens":%d,"deadline_ms":%d}`, tokens, taskDeadlineMS)
	ok = s.call(ctx, kindTask, func(host int) (attempt, bool) {
		a := s.ask(ctx, host, secret, http.MethodPost, "/v2/tasks", body, "Idempotency-Key", key)
		var admission struct {
			TaskID string `json:"task_id"`
		}
		if a.err == nil && a.status == http.StatusAccepted {
			if a.err = json.Unmarshal(a.body, &admission); a.err == nil {
				id = admission.TaskID
			}
		}
		return a, a.err == nil && a.status == http.StatusAccepted && id != ""
	})
	return id, ok
}

// readTask reads the events to their end, sometimes over several connections at different
// gateways, sometimes slowly.
func (s *soakRun) readTask(ctx context.Context, secret authmin.Secret, id string, r *reading) bool {
	slow := time.Duration(0)
	if rand.IntN(10) == 0 {
		slow = 150 * time.Millisecond
	}
	connections := 0
	return s.call(ctx, "readers", func(host int) (attempt, bool) {
		for ctx.Err() == nil {
			more := 0
			if connections++; connections <= 3 && rand.IntN(2) == 0 {
				more = 1 + rand.IntN(12)
				s.add("readers: resumed")
			}
			a := s.follow(ctx, host, secret, id, r, more, slow)
			if r.err != nil {
				s.breaks(ruleReader, "task %s, connection %d at gateway%d: %v", id, connections, host+1, r.err)
				return a, true
			}
			if r.end != "" || !a.succeeded() {
				return a, r.end != ""
			}
			host = rand.IntN(len(s.hosts))
		}
		return attempt{}, false
	})
}

// awaitEnd asks for the task's record until it has ended.
func (s *soakRun) awaitEnd(ctx context.Context, secret authmin.Secret, id string, began time.Time) (got record, ok bool) {
	var last attempt
	for {
		last = s.ask(ctx, rand.IntN(len(s.hosts)), secret, http.MethodGet, "/v2/tasks/"+id, "")
		if last.succeeded() && json.Unmarshal(last.body, &got) == nil && got.EndedAt != "" {
			return got, true
		}
		if time.Since(began) > taskLimit && ctx.Err() == nil {
			s.breaks(ruleLost, "task %s has not ended after %v; the last answer: %v", id, taskLimit, last)
			return got, false
		}
		if !pause(ctx, pollPause) {
			return got, false
		}
	}
}

// compare holds the record against what a reader saw.
func (s *soakRun) compare(id string, got record, r reading, read bool, tokens int, began time.Time) {
	s.add("tasks " + got.State)
	if r.gaps > 0 {
		s.add("readers: with an announced gap")
	}
	ends := map[string]string{"completed": "end", "failed": "error", "canceled": "canceled"}
	if read && r.err == nil && ends[got.State] != r.end {
		s.breaks(ruleTwice, "task %s: its record says %s, its reader saw %s %.200s", id, got.State, r.end, r.data)
	}
	switch got.State {
	case "completed":
		if got.TokensOut != tokens {
			s.breaks(ruleReader, "task %s is complete with %d tokens, want %d", id, got.TokensOut, tokens)
		}
		if read && r.gaps == 0 && r.err == nil && r.tokens != tokens {
			s.breaks(ruleReader, "task %s: its reader saw %d tokens of %d, without a gap", id, r.tokens, tokens)
		}
	case "failed":
		if _, fault := s.faults.covers(began, time.Now()); !fault || got.Error.Code != "WORKER_RESET" {
			s.breaks(ruleValid, "task %s failed: %s (in a fault: %t)", id, got.Error.Code, fault)
		}
	default:
		s.breaks(ruleValid, "task %s is %s", id, got.State)
	}
}

// endedTask is one whose record must stay what it is.
type endedTask struct {
	record
	at time.Time
}

// endedTasks are the newest of them, at most maxEnded.
type endedTasks struct {
	mu   sync.Mutex
	ring []endedTask
	next int
}

func (e *endedTasks) add(t endedTask) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ring) < maxEnded {
		e.ring = append(e.ring, t)
		return
	}
	e.ring[e.next] = t
	e.next = (e.next + 1) % maxEnded
}

// all gives those that are still kept by the orchestrators.
func (e *endedTasks) all() (kept []endedTask) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.ring {
		if time.Since(t.at) < keepEnded {
			kept = append(kept, t)
		}
	}
	return kept
}

// recheck asks one gateway for a task that had ended: it must say the same as before.
func (s *soakRun) recheck(ctx context.Context, host int, t endedTask) {
	a := s.ask(ctx, host, s.keys.secret("ci"), http.MethodGet, "/v2/tasks/"+t.TaskID, "")
	_, fault := s.faults.covers(a.begin, a.done)
	var now record
	switch {
	case ctx.Err() != nil:
	case a.succeeded() && json.Unmarshal(a.body, &now) == nil:
		s.add("ended tasks asked for again")
		if now != t.record {
			s.breaks(ruleTwice, "task %s ended as %+v, and later as %+v", t.TaskID, t.record, now)
		}
	case a.status == http.StatusNotFound && !strings.Contains(string(a.body), "STARTING"):
		s.breaks(ruleLost, "ended task %s is gone (in a fault: %t): %v", t.TaskID, fault, a)
	case !fault:
		s.judge("ended tasks asked for again", a)
	}
}
