package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAnAcknowledgedCallSurvivesKill kills the orchestrator while it takes calls whose
// bodies are in pieces: what was acknowledged runs afterwards, with its whole body.
func TestAnAcknowledgedCallSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	c := spawn(t, dir)
	c.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { <-out.gone }), 1)
	c.submit("") // takes the slot
	long := strings.Repeat("x", 600_000)
	var mu sync.Mutex
	acknowledged := map[string]string{} // prompts by task
	var admitting sync.WaitGroup
	for worker := range 3 {
		admitting.Go(func() {
			for i := 0; ; i++ {
				prompt := fmt.Sprint(worker, "-", i, long)
				if i%2 > 0 {
					prompt = prompt[:2000]
				}
				id, ok := c.tryTask(`{"native":{"protocol":"completions","body":{"model":"demo","prompt":"` + prompt + `"}}}`)
				if !ok {
					return // killed
				}
				mu.Lock()
				acknowledged[id] = prompt
				mu.Unlock()
			}
		})
	}
	testkit.Eventually(t, "some calls are acknowledged", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) >= 12
	})
	c.kill()
	admitting.Wait()

	c = spawn(t, dir)
	p := newPool(t, echo(1))
	c.join("n2", p, 4)
	seen := map[string]string{}
	testkit.Eventually(t, "every acknowledged call has ended", func() bool {
		for id := range acknowledged {
			if c.state(id) != "completed" {
				return false
			}
		}
		return true
	})
	for len(p.calls) > 0 { // what has ended was called before
		d := testkit.Receive(t, p.calls, "a call of the pool")
		seen[d.TaskID] = d.Prompt
	}
	for id, prompt := range acknowledged {
		if seen[id] != prompt {
			t.Errorf("task %s: the pool got %d bytes, want %d", id, len(seen[id]), len(prompt))
		}
	}
}

// tryTask takes a task, unless the process is gone.
func (s *service) tryTask(body string) (id string, ok bool) {
	res, err := http.DefaultClient.Do(s.request("ci", "infer", "POST", "/v2/tasks", body))
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	var a orchestrator.Admission
	err = json.NewDecoder(res.Body).Decode(&a)
	return a.TaskID, err == nil && res.StatusCode == http.StatusAccepted
}
