package cluster_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// patient and hasty are how long a client waits at a replica that says nothing
	// before it goes on at the next one.
	patient = 40 * time.Second
	hasty   = 3 * time.Second
	// giveUp is when a client does not believe in an end any more.
	giveUp = 2 * time.Minute
)

// readings are the clients of all tasks, each with a stream of its own.
type readings struct {
	c   *cluster
	all sync.WaitGroup

	mu   sync.Mutex
	next int // reader
	seen map[string][]reading
}

// reading is what one client saw of a task, in the order in which it came.
type reading struct {
	began  *replica
	events []event
}

// follow has a client read the task, from one replica after the other; every
// second client waits longer for the one that it began with than this is stopped.
func (rs *readings) follow(id string) {
	rs.mu.Lock()
	n := rs.next
	rs.next++
	rs.mu.Unlock()
	wait := hasty
	if n/len(rs.c.replicas)%2 == 0 {
		wait = patient
	}
	rs.all.Go(func() {
		got := reading{began: rs.c.replicas[n%len(rs.c.replicas)]}
		got.events = rs.c.readOn(id, n, wait)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		rs.seen[id] = append(rs.seen[id], got)
	})
}

// readOn follows a task to its end as a client does, from replica n on: where a
// stream breaks off, it goes on after the last event, at the next replica.
func (c *cluster) readOn(id string, n int, wait time.Duration) (all []event) {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	last := ""
	for end := time.Now().Add(giveUp); time.Now().Before(end); n++ {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		_, events := c.eventsOf(ctx, c.replicas[n%len(c.replicas)], id, last)
		cancel()
		all = append(all, events...)
		if len(all) > 0 {
			if last = all[len(all)-1].id; slices.Contains(terminal, all[len(all)-1].kind) {
				return all
			}
		}
		<-again.C
	}
	return all
}

// shown is a token as a reader saw it.
type shown struct{ run, index int }

// check gives the tokens that the client saw and how its stream ended. Its ids
// rise by one, what is left out is said to be, and nothing comes after the end.
// Only the end of a task whose runner was lost may leave ids out.
func (r reading) check() (tokens []shown, end event, err error) {
	last := 0
	for i, ev := range r.events {
		id, _ := strconv.Atoi(ev.id)
		switch {
		case slices.Contains(terminal, ev.kind):
			if i != len(r.events)-1 {
				return nil, ev, fmt.Errorf("it goes on after its end")
			}
			if id <= last || ev.kind == "end" && id != last+1 {
				return nil, ev, fmt.Errorf("%s with id %d after %d", ev.kind, id, last)
			}
			return tokens, ev, nil
		case ev.kind == "gap":
			var gap struct{ From, To int }
			if err := json.Unmarshal([]byte(ev.data), &gap); err != nil || gap.From != last+1 || gap.To != id {
				return nil, ev, fmt.Errorf("gap %s with id %d after %d", ev.data, id, last)
			}
		case ev.kind == "waiting": // stands in no log: it has the id of the event before it
			if id != last {
				return nil, ev, fmt.Errorf("waiting with id %d after %d", id, last)
			}
		case id != last+1:
			return nil, ev, fmt.Errorf("%s with id %d after %d, without a gap", ev.kind, id, last)
		case ev.kind == "token":
			token, err := parse(ev)
			if err != nil || token.index != id-2 { // started has 1
				return nil, ev, fmt.Errorf("token %s with id %d (%v)", ev.data, id, err)
			}
			tokens = append(tokens, token)
		}
		last = id
	}
	return tokens, event{}, fmt.Errorf("it has no end")
}

func parse(ev event) (s shown, err error) {
	var data struct {
		T string
		I int
	}
	if err := json.Unmarshal([]byte(ev.data), &data); err != nil {
		return s, err
	}
	s.index = data.I
	if _, err := fmt.Sscanf(data.T, "%d.", &s.run); err != nil || data.T != text(s.run, s.index) {
		return s, cmp.Or(err, fmt.Errorf("text %q", data.T))
	}
	return s, nil
}
