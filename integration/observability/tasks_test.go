//go:build observability

package observability_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// submit sends a task, and returns its id and the status of the answer.
func (f *fleet) submit(body string) (string, int, error) {
	res, err := f.as("ci").Do("POST", "/v2/tasks", body)
	if err != nil {
		return "", 0, err
	}
	if res.Status != http.StatusAccepted {
		return "", res.Status, fmt.Errorf("got %d %s", res.Status, res.Body)
	}
	var task struct {
		ID string `json:"task_id"`
	}
	err = res.JSON(&task)
	return task.ID, res.Status, err
}

// runs sends a task and waits until it has completed.
func (f *fleet) runs(body string) error {
	id, _, err := f.submit(body)
	if err != nil {
		return err
	}
	return testkit.Poll(startLimit, func() error {
		state, err := f.state(id)
		if err == nil && state != "completed" {
			err = fmt.Errorf("task %s is %s", id, state)
		}
		return err
	})
}

func (f *fleet) state(id string) (string, error) {
	res, err := f.as("ci").Do("GET", "/v2/tasks/"+id, "")
	if err != nil {
		return "", err
	}
	var task struct{ State string }
	return task.State, res.JSON(&task)
}

// fill has the slow pool busy with one task, and then sends more than may wait. Those
// that wait fail at their deadline.
func (f *fleet) fill() {
	f.t.Helper()
	const pinned = `{"model_ref":"demo","prompt":"x","max_tokens":1,"deadline_ms":%d,"placement":{"mode":"pin","pin_pool_id":"slow"}}`
	if _, _, err := f.submit(fmt.Sprintf(pinned, 60_000)); err != nil {
		f.t.Fatal(err)
	}
	accepted, refused := 0, 0
	for range 2 * capacity {
		switch _, status, err := f.submit(fmt.Sprintf(pinned, 1000)); status {
		case http.StatusAccepted:
			accepted++
		case http.StatusTooManyRequests:
			refused++
		default:
			f.t.Fatalf("a task of many: %v", err)
		}
	}
	if accepted < 6 || refused == 0 {
		f.t.Fatalf("%d tasks were accepted and %d refused", accepted, refused)
	}
}

// lateStreams are two, so that the second one is an increase of each series.
func (f *fleet) lateStreams() {
	f.t.Helper()
	c := gatewaytest.Client{Base: "http://" + f.sites["engine"], Token: f.tokens["ci"]}
	for range 2 {
		res, err := c.Do("POST", "/v1/chat/completions", `{"model":"demo","stream":true,"stream_options":{"include_usage":true},"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`)
		if err != nil || res.Status != http.StatusOK {
			f.t.Fatalf("a stream: %v, %d %s", err, res.Status, res.Body)
		}
	}
}

// killEngine kills the engine of the quick pool, and waits until there is another.
func (f *fleet) killEngine() {
	f.t.Helper()
	pid := 0
	find := func() error {
		found, err := f.engine()
		if err == nil && found == pid {
			err = fmt.Errorf("the engine is still process %d", pid)
		}
		if err == nil {
			pid = found
		}
		return err
	}
	testkit.Within(f.t, startLimit, "an engine", find)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	testkit.Within(f.t, startLimit, "another engine", find)
}

// engine is the process of the quick pool's engine: a child of the pool manager.
func (f *fleet) engine() (pid int, err error) {
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", f.processes["poolmanagerd"].PID()))
	if err != nil {
		return 0, err
	}
	for _, file := range children {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(text)) {
			command, err := os.ReadFile("/proc/" + word + "/cmdline")
			if err == nil && strings.Contains(string(command), "demo-engine") && !strings.Contains(string(command), "token-delay") {
				return strconv.Atoi(word)
			}
		}
	}
	return 0, fmt.Errorf("the pool manager has no such child")
}

// write1100 makes as many artifacts: a replica that is down is behind by more than a
// thousand operations. A store without a leader, for some seconds, is asked again.
func (f *fleet) write1100() {
	f.t.Helper()
	const all, writers = 1100, 8
	var next atomic.Int64
	var done sync.WaitGroup
	for range writers {
		done.Go(func() {
			for n := next.Add(1); n <= all; n = next.Add(1) {
				body := fmt.Sprintf(`{"kind":"other","content":{"n":%d}}`, n)
				if err := testkit.Poll(startLimit, func() error {
					res, err := f.as("ci").Do("POST", "/v2/artifacts", body)
					if err == nil && res.Status != http.StatusCreated {
						err = fmt.Errorf("got %d %s", res.Status, res.Body)
					}
					return err
				}); err != nil {
					f.t.Errorf("artifact %d: %v", n, err)
					return
				}
			}
		})
	}
	done.Wait()
}
