package integration_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func (s *scenario) registerTasks(sc *godog.ScenarioContext) {
	sc.Step(`^I send a task for the model "([^"]*)" with (\d+) tokens$`, s.sendTask)
	sc.Step(`^I send a task for the model "([^"]*)" without a token$`, s.sendTaskWithoutToken)
	sc.Step(`^I send the task '(.*)'$`, s.sendBody)
	sc.Step(`^I send the task '(.*)' with the token of "([^"]*)"$`, s.sendBodyAs)
	sc.Step(`^the task belongs to "([^"]*)"$`, s.taskBelongsTo)
	sc.Step(`^I send the same task again$`, s.sendAgain)
	sc.Step(`^a finished task for the model "([^"]*)" with (\d+) tokens$`, s.finishTask)
	sc.Step(`^the admission names the task and its stream$`, s.admissionIsWhole)
	sc.Step(`^I cancel the task$`, s.cancelTask)
	sc.Step(`^I follow the task's events$`, func() error { return s.follow() })
	sc.Step(`^I follow the task's events after event (\d+)$`, s.followAfter)
	sc.Step(`^the first event is "([^"]*)"$`, s.firstIs)
	sc.Step(`^the first event has the id (\d+)$`, s.firstHasID)
	sc.Step(`^the last event is "([^"]*)"$`, s.lastIs)
	sc.Step(`^there is at least (\d+) "([^"]*)" event$`, s.atLeast)
	sc.Step(`^every event has an id, and the ids grow$`, s.idsGrow)
	sc.Step(`^both texts are the same$`, s.sameText)
}

func taskFor(model string, tokens int) string {
	return fmt.Sprintf(`{"model_ref":%q,"prompt":"Say something.","max_tokens":%d,"seed":7}`, model, tokens)
}

func (s *scenario) sendTask(model string, tokens int) error {
	return s.sendBody(taskFor(model, tokens))
}

func (s *scenario) sendTaskWithoutToken(model string) error {
	return s.call(s.at, "POST", "/v2/tasks", taskFor(model, 1))
}

func (s *scenario) sendBody(body string) error {
	s.body = body
	if err := s.call(s.mine, "POST", "/v2/tasks", body); err != nil {
		return err
	}
	var admission struct {
		TaskID string `json:"task_id"`
	}
	if s.answer.Status == 202 {
		if err := s.answer.JSON(&admission); err != nil {
			return err
		}
	}
	s.taskID = admission.TaskID
	return nil
}

// sendBodyAs sends a task, and what follows it is of the same token.
func (s *scenario) sendBodyAs(body, name string) error {
	s.mine = s.at.As(s.fleet.tokens[name])
	return s.sendBody(body)
}

// taskBelongsTo asks with scope admin, to which every task is shown.
func (s *scenario) taskBelongsTo(owner string) error {
	var task struct {
		TaskID string `json:"task_id"`
		Owner  string `json:"owner"`
	}
	if err := s.answer.JSON(&task); err != nil {
		return err
	}
	res, err := s.fleet.as("owner").Do("GET", "/v2/tasks/"+task.TaskID, "")
	if err == nil {
		err = res.JSON(&task)
	}
	if err == nil && task.Owner != owner {
		err = fmt.Errorf("the task belongs to %q, want %q", task.Owner, owner)
	}
	return err
}

func (s *scenario) sendAgain() error { return s.sendBody(s.body) }

func (s *scenario) finishTask(model string, tokens int) error {
	if err := s.sendTask(model, tokens); err != nil {
		return err
	}
	return s.follow()
}

func (s *scenario) admissionIsWhole() error {
	var admission struct {
		TaskID  string `json:"task_id"`
		Streams struct {
			SSE string `json:"sse"`
		} `json:"streams"`
	}
	if err := s.answer.JSON(&admission); err != nil {
		return err
	}
	if want := "/v2/tasks/" + admission.TaskID + "/events"; admission.TaskID == "" || !strings.HasSuffix(admission.Streams.SSE, want) {
		return fmt.Errorf("the admission names %q and %q", admission.TaskID, admission.Streams.SSE)
	}
	return nil
}

func (s *scenario) cancelTask() error {
	return s.call(s.mine, "POST", "/v2/tasks/"+s.taskID+"/cancel", "")
}

func (s *scenario) follow(headers ...string) error {
	stream, err := s.mine.Stream("/v2/tasks/"+s.taskID+"/events", headers...)
	if err != nil {
		return err
	}
	s.previous = s.events
	s.events, err = stream.All()
	if err == nil && len(s.events) == 0 {
		return fmt.Errorf("no event")
	}
	return err
}

func (s *scenario) followAfter(id string) error { return s.follow("Last-Event-ID: " + id) }

func (s *scenario) firstIs(kind string) error {
	if got := s.events[0].Type; got != kind {
		return fmt.Errorf("the first event is %q, want %q", got, kind)
	}
	return nil
}

func (s *scenario) firstHasID(id string) error {
	if got := s.events[0].ID; got != id {
		return fmt.Errorf("the first event has the id %q, want %q", got, id)
	}
	return nil
}

func (s *scenario) lastIs(kind string) error {
	if got := s.events[len(s.events)-1]; got.Type != kind {
		return fmt.Errorf("the last event is %q, want %q: %s", got.Type, kind, got.Data)
	}
	return nil
}

func (s *scenario) atLeast(want int, kind string) error {
	n := 0
	for _, e := range s.events {
		if e.Type == kind {
			n++
		}
	}
	if n < want {
		return fmt.Errorf("%d %s events, want %d", n, kind, want)
	}
	return nil
}

func (s *scenario) idsGrow() error {
	last := 0
	for _, e := range s.events {
		id, err := strconv.Atoi(e.ID)
		if err != nil || id <= last {
			return fmt.Errorf("event %s has the id %q after %d", e.Type, e.ID, last)
		}
		last = id
	}
	return nil
}

func (s *scenario) sameText() error {
	one, err := textOf(s.previous)
	if err != nil {
		return err
	}
	two, err := textOf(s.events)
	if err == nil && (one == "" || one != two) {
		return fmt.Errorf("texts %q and %q", one, two)
	}
	return err
}

func textOf(events []gatewaytest.Event) (string, error) {
	var text strings.Builder
	for _, e := range events {
		if e.Type != "token" {
			continue
		}
		var token struct {
			Text string `json:"t"`
		}
		if err := json.Unmarshal([]byte(e.Data), &token); err != nil {
			return "", err
		}
		text.WriteString(token.Text)
	}
	return text.String(), nil
}
