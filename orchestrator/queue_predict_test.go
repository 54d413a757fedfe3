package orchestrator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// keyed takes a task with a key, or, the second time, says where it is now.
func (s *service) keyed(identity, key, extra string) map[string]any {
	s.t.Helper()
	r := s.request(identity, "infer", "POST", "/v2/tasks", task(extra))
	r.Header.Set("Idempotency-Key", key)
	status, _, answer := s.send(r)
	if status != 202 {
		s.t.Fatalf("got %d %v, want 202", status, answer)
	}
	return answer
}

// TestPositionsAndEstimatesComeTrue has a pool with one slot, and compares what waiting
// tasks of three identities were told with the order in which they then started, and
// with the pace of those before them: that of the machine may change at any time.
func TestPositionsAndEstimatesComeTrue(t *testing.T) {
	const pace, warmUp = 40 * time.Millisecond, 15
	step, held, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := start(t, app.Options{})
	p := newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		out.await(held)
		if r.Prompt == "last" {
			out.await(release)
		}
		timer := time.NewTimer(pace)
		defer timer.Stop()
		<-timer.C
		out.end(0)
		step <- struct{}{}
	})
	s.join("n1", p, 1)
	var warm []string
	for range warmUp {
		warm = append(warm, s.submit(""))
	}
	running := s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"last"}`)["task_id"].(string)
	close(held)
	for range warmUp {
		testkit.Receive(t, step, "a step")
	}
	testkit.Eventually(t, "only the last of the warm-up runs", func() bool { return s.state(running) == "running" })

	type told struct {
		id       string
		position int
		startMS  float64
	}
	var all []told
	for _, again := range []bool{false, true} { // the second call gives the position of every task
		for i := range 12 {
			for _, identity := range []string{"ci", "eve", "flood"}[:1+i%3] {
				a := s.keyed(identity, fmt.Sprint(i), "")
				if again {
					all = append(all, told{a["task_id"].(string), int(a["queue_position"].(float64)), a["predicted_start_ms"].(float64)})
				}
			}
		}
	}
	shortest, longest := s.gaps(append(warm, running))
	close(release)
	for range len(all) + 1 {
		testkit.Receive(t, step, "a step")
	}
	slices.SortFunc(all, func(a, b told) int { return a.position - b.position })
	var before time.Time
	for i, w := range all {
		record := s.want(200, "root", "admin", "GET", "/v2/tasks/"+w.id, nil)
		started, err := time.Parse(time.RFC3339Nano, record["started_at"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if started.Before(before) || w.position != i {
			t.Errorf("position %d of %d started at %s, and the one before it at %s", w.position, i, started, before)
		}
		before = started
		// The pace is an average of the gaps between the starts so far.
		starts := float64(i + 1)
		if least, most := starts*shortest.Seconds()*1000-1, starts*longest.Seconds()*1000+1; w.startMS < least || w.startMS > most {
			t.Errorf("position %d: told %.0f ms, want %.0f to %.0f", i, w.startMS, least, most)
		}
	}
}

// gaps gives the shortest and the longest time between the starts of tasks, in the order in which
// they were taken.
func (s *service) gaps(ids []string) (shortest, longest time.Duration) {
	s.t.Helper()
	var before time.Time
	for i, id := range ids {
		started, err := time.Parse(time.RFC3339Nano, s.want(200, "root", "admin", "GET", "/v2/tasks/"+id, nil)["started_at"].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		if gap := started.Sub(before); i > 0 {
			if i == 1 || gap < shortest {
				shortest = gap
			}
			longest = max(longest, gap)
		}
		before = started
	}
	return shortest, longest
}
