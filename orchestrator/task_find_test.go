package orchestrator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
)

func TestTasksBelongToTheirIdentity(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	id := s.submit("")
	for _, c := range []struct{ method, path string }{
		{"GET", "/v2/tasks/" + id}, {"GET", "/v2/tasks/" + id + "/events"}, {"POST", "/v2/tasks/" + id + "/cancel"},
	} {
		if got := s.want(404, "eve", "infer", c.method, c.path, nil); got["code"] != "TASK_NOT_FOUND" {
			t.Errorf("%s: got %v", c.path, got)
		}
	}
	if got := s.want(200, "eve", "infer", "GET", "/v2/tasks", nil)["tasks"].([]any); len(got) != 0 {
		t.Errorf("eve's list has %v", got)
	}
	s.want(200, "root", "admin", "GET", "/v2/tasks/"+id, nil)
	if got := s.want(200, "root", "admin", "GET", "/v2/tasks", nil)["tasks"].([]any); len(got) != 1 {
		t.Errorf("an administrator's list has %v", got)
	}
	s.want(409, "eve", "infer", "POST", "/v2/tasks", task(`,"task_id":"`+id+`"`))
}

func TestAnIdempotencyKeyGivesOneTask(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	send := func(identity, body string) (int, map[string]any) {
		r := s.request(identity, "infer", "POST", "/v2/tasks", body)
		r.Header.Set("Idempotency-Key", "k")
		status, _, answer := s.send(r)
		return status, answer
	}
	_, first := send("ci", task(""))
	if status, again := send("ci", task("")); status != 202 || again["task_id"] != first["task_id"] {
		t.Errorf("again: got %d %v, want the task %v", status, again, first["task_id"])
	}
	if status, _ := send("ci", task(`,"seed":1`)); status != 409 {
		t.Errorf("another body: got %d, want 409", status)
	}
	if status, other := send("eve", task("")); status != 202 || other["task_id"] == first["task_id"] {
		t.Errorf("another identity: got %d %v, want a task of its own", status, other)
	}
}

// TestAKeyIsNotTiedToAnotherRequestsTask: an admission says that this body was
// taken, so a task_id that another body has is a conflict, each time.
func TestAKeyIsNotTiedToAnotherRequestsTask(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	const id = `,"task_id":"0b0e2c3a-1111-4222-8333-444455556666"`
	send := func(key, body string) int {
		r := s.request("ci", "infer", "POST", "/v2/tasks", body)
		r.Header.Set("Idempotency-Key", key)
		status, _, _ := s.send(r)
		return status
	}
	for _, step := range []struct {
		key, body string
		want      int
	}{
		{"one", task(id), 202}, {"one", task(id), 202},
		{"two", task(id + `,"seed":1`), 409}, {"two", task(id + `,"seed":1`), 409},
		{"two", task(""), 202}, // the key was not used up
	} {
		if got := send(step.key, step.body); got != step.want {
			t.Errorf("key %s with %s: got %d, want %d", step.key, step.body, got, step.want)
		}
	}
}

// TestAnIDIsFoundAsItWasSpelled: a UUID is the same in capitals.
func TestAnIDIsFoundAsItWasSpelled(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	const id, session = "0B0E2C3A-1111-4222-8333-444455556666", "0B0E2C3A-1111-4222-8333-444455557777"
	s.submit(`,"task_id":"` + id + `","session_id":"` + session + `"`)
	s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
	s.want(204, "ci", "infer", "POST", "/v2/tasks/"+id+"/cancel", nil)
	s.want(200, "ci", "infer", "GET", "/v2/sessions/"+session, nil)
	s.want(204, "ci", "infer", "DELETE", "/v2/sessions/"+session, nil)
	s.want(404, "ci", "infer", "GET", "/v2/tasks/nobody", nil)
}

func TestPagesOfTheListHoldEachTaskOnce(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	want := map[string]bool{}
	for range 7 {
		want[s.submit("")] = true
	}
	got, cursor := map[string]bool{}, ""
	for pages := 0; pages < 5; pages++ {
		page := s.want(200, "ci", "infer", "GET", "/v2/tasks?limit=3&cursor="+cursor, nil)
		for _, task := range page["tasks"].([]any) {
			got[task.(map[string]any)["task_id"].(string)] = true
		}
		if cursor, _ = page["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d tasks, want %d", len(got), len(want))
	}
	text, _ := json.Marshal(s.want(200, "ci", "infer", "GET", "/v2/tasks", nil))
	if strings.Contains(string(text), "hello") {
		t.Error("the list holds a prompt")
	}
}
