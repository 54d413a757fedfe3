package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// terminal are the events that end the stream of a task.
var terminal = []string{"end", "error", "canceled"}

// event is one server-sent event of a task.
type event struct{ id, kind, data string }

// reading is what one reader has seen of a task, over all its connections. It keeps no
// events, only where it is.
type reading struct {
	last   int // id of the newest event
	tokens int // seen
	gaps   int // that were announced
	end    string
	data   string // of the end
	err    error  // the first hole or double
}

// see checks an event against those before it: ids rise by one, what is left out is said to
// be, and nothing comes after the end. Only an end by an error may leave ids out, since the
// runner was lost.
func (r *reading) see(ev event) {
	if r.err != nil {
		return
	}
	id, err := strconv.Atoi(ev.id)
	switch {
	case err != nil:
		r.err = fmt.Errorf("%s has the id %q", ev.kind, ev.id)
	case r.end != "":
		r.err = fmt.Errorf("%s with id %d after the end", ev.kind, id)
	case slices.Contains(terminal, ev.kind):
		if id <= r.last || ev.kind == "end" && id != r.last+1 {
			r.err = fmt.Errorf("%s with id %d after %d", ev.kind, id, r.last)
		}
		r.end, r.data = ev.kind, ev.data
	case ev.kind == "gap":
		var gap struct{ From, To int }
		if err := json.Unmarshal([]byte(ev.data), &gap); err != nil || gap.From != r.last+1 || gap.To != id {
			r.err = fmt.Errorf("gap %s with id %d after %d", ev.data, id, r.last)
		}
		r.gaps++
	case ev.kind == "waiting": // is in no log: it has the id of the event before it
		if id != r.last {
			r.err = fmt.Errorf("waiting with id %d after %d", id, r.last)
		}
	case id != r.last+1:
		r.err = fmt.Errorf("%s with id %d after %d, without a gap", ev.kind, id, r.last)
	case ev.kind == "token":
		var token struct{ I int }
		if err := json.Unmarshal([]byte(ev.data), &token); err != nil || token.I != id-2 { // started has 1
			r.err = fmt.Errorf("token %s with id %d", ev.data, id)
		}
		r.tokens++
	}
	r.last = id
}

// follow reads a task's events from where the reading is, until its end, or until it has
// seen that many more; more 0 is all.
func (s *soakRun) follow(ctx context.Context, host int, secret authmin.Secret, id string, r *reading, more int, slow time.Duration) attempt {
	a := attempt{host: host, method: http.MethodGet, path: "/v2/tasks/" + id + "/events", begin: time.Now()}
	defer func() { a.done = time.Now() }()
	ctx, cancel := context.WithTimeout(ctx, streamLimit)
	defer cancel()
	header := []string{}
	if r.last > 0 {
		header = []string{"Last-Event-ID", strconv.Itoa(r.last)}
	}
	request, err := s.request(ctx, host, secret, a.method, a.path, "", header...)
	if err != nil {
		a.err = err
		return a
	}
	answer, err := s.client.Do(request)
	if err != nil {
		a.err, a.done = err, time.Now()
		return a
	}
	defer answer.Body.Close()
	if a.status = answer.StatusCode; a.status != http.StatusOK {
		a.done = time.Now()
		return a
	}
	err = eachEvent(answer.Body, func(ev event) bool {
		r.see(ev)
		more--
		return r.end == "" && r.err == nil && more != 0 && (slow == 0 || pause(ctx, slow))
	})
	if r.end == "" && err != nil {
		a.err = err
	}
	a.done = time.Now()
	return a
}

// eachEvent calls take for every event until it returns false.
func eachEvent(body interface{ Read([]byte) (int, error) }, take func(event) bool) error {
	ev := event{}
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			ev.id = value
		case "event":
			ev.kind = value
		case "data":
			ev.data = value
		case "":
			if ev.kind != "" && !take(ev) {
				return nil
			}
			ev = event{}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return fmt.Errorf("reading events: the stream ended before the task's end")
}
