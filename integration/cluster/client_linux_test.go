package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// try makes one request as the gateway would.
func (c *cluster) try(r *replica, identity, scopes, method, path, body string) (int, map[string]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.http+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	c.sign(req, identity, scopes)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			return 0, nil, fmt.Errorf("%s %s: %w in %q", method, path, err, text)
		}
	}
	return res.StatusCode, answer, nil
}

func (c *cluster) sign(req *http.Request, identity, scopes string) {
	req.Header.Set("Authorization", "Bearer "+c.upstream.Reveal())
	req.Header.Set("X-Auth-Identity", identity)
	req.Header.Set("X-Auth-Scopes", scopes)
	req.Header.Set("X-Auth-Models", "*")
	req.Header.Set("Content-Type", "application/json")
}

// submit gives the task's id, or why it was not taken.
func (c *cluster) submit(r *replica, extra string) (string, error) {
	status, answer, err := c.try(r, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"hello","max_tokens":8`+extra+`}`)
	if err != nil {
		return "", err
	}
	if status != http.StatusAccepted {
		return "", fmt.Errorf("status %d %v", status, answer["code"])
	}
	return answer["task_id"].(string), nil
}

// task gives the record's fields as the replica tells them.
func (c *cluster) task(r *replica, id string) (map[string]any, error) {
	status, answer, err := c.try(r, "ci", "infer", "GET", "/v2/tasks/"+id, "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("task %s: status %d %v", id, status, answer["code"])
	}
	return answer, err
}

func ended(state any) bool { return state == "completed" || state == "failed" || state == "canceled" }

// finish waits until every task has ended at the replica, and returns their records.
func (c *cluster) finish(r *replica, ids []string, limit time.Duration) map[string]map[string]any {
	c.t.Helper()
	tasks := make(map[string]map[string]any)
	testkit.Within(c.t, limit, "all acknowledged tasks have ended", func() error {
		for _, id := range ids {
			if tasks[id] != nil {
				continue
			}
			task, err := c.task(r, id)
			if err != nil {
				return err
			}
			if !ended(task["state"]) {
				return fmt.Errorf("task %s is %v (%d of %d have ended)", id, task["state"], len(tasks), len(ids))
			}
			tasks[id] = task
		}
		return nil
	})
	return tasks
}
