package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// TestFeatures runs the scenarios in features/ against one "llorch up". A step
// that nobody has written is a failure.
func TestFeatures(t *testing.T) {
	u := gatewaytest.StartUp(t, ownerEnv)
	suite := godog.TestSuite{
		ScenarioInitializer: func(sc *godog.ScenarioContext) { newScenario(u.Client).register(sc) },
		Options:             &godog.Options{Format: "pretty", Paths: []string{"features"}, Strict: true, TestingT: t, Output: testWriter{t}},
	}
	if suite.Run() != 0 {
		t.Error("a scenario failed")
	}
}

// testWriter shows the scenarios only when they are asked for or fail.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// A scenario is what one scenario remembers between its steps.
type scenario struct {
	mine     gatewaytest.Client
	answer   gatewaytest.Response
	body     string // the last task sent
	taskID   string
	events   []gatewaytest.Event
	previous []gatewaytest.Event
}

func newScenario(mine gatewaytest.Client) *scenario { return &scenario{mine: mine} }

func (s *scenario) register(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		*s = scenario{mine: s.mine}
		return ctx, nil
	})
	sc.Step(`^I (GET|POST) "([^"]*)" without a token$`, s.callWithout)
	sc.Step(`^I (GET|POST) "([^"]*)" with my token$`, s.callWithMine)
	sc.Step(`^I (GET|POST) "([^"]*)" with the token "([^"]*)"$`, s.callWith)
	sc.Step(`^I (GET|POST) "([^"]*)" and my token, without a header$`, s.callWithQuery)
	sc.Step(`^I (GET|POST) "([^"]*)" without a token and with the header "([^"]*)"$`, s.callWithHeader)
	sc.Step(`^the answer is (\d+)$`, s.answerIs)
	sc.Step(`^the answer asks for a bearer token$`, s.answerAsksForToken)
	sc.Step(`^the answer is a problem with the code "([^"]*)"$`, s.answerIsProblem)
	sc.Step(`^the answer has the header "([^"]*)"$`, s.answerHasHeader)
	sc.Step(`^the answer names the field "([^"]*)"$`, s.answerNames)
	s.registerTasks(sc)
}

func (s *scenario) call(c gatewaytest.Client, method, path, body string, headers ...string) (err error) {
	s.answer, err = c.Do(method, path, body, headers...)
	return err
}

func (s *scenario) callWithout(method, path string) error {
	return s.call(s.mine.As(""), method, path, "")
}

func (s *scenario) callWithMine(method, path string) error {
	return s.call(s.mine, method, path, "")
}

func (s *scenario) callWith(method, path, token string) error {
	return s.call(s.mine.As(token), method, path, "")
}

func (s *scenario) callWithQuery(method, path string) error {
	return s.call(s.mine.As(""), method, path+s.mine.Token, "")
}

func (s *scenario) callWithHeader(method, path, header string) error {
	return s.call(s.mine.As(""), method, path, "", header)
}

func (s *scenario) answerIs(status int) error {
	if s.answer.Status != status {
		return fmt.Errorf("status %d, want %d: %s", s.answer.Status, status, s.answer.Body)
	}
	return nil
}

func (s *scenario) answerAsksForToken() error {
	if got := s.answer.Header.Get("WWW-Authenticate"); got != `Bearer realm="llorch"` {
		return fmt.Errorf("WWW-Authenticate %q", got)
	}
	return nil
}

func (s *scenario) answerIsProblem(code string) error {
	var problem struct {
		Code          string `json:"code"`
		CorrelationID string `json:"correlation_id"`
	}
	if kind := s.answer.Header.Get("Content-Type"); kind != "application/problem+json" {
		return fmt.Errorf("content type %q", kind)
	}
	if err := s.answer.JSON(&problem); err != nil {
		return err
	}
	if problem.Code != code || problem.CorrelationID == "" {
		return fmt.Errorf("code %q, want %q, with a correlation id: %s", problem.Code, code, s.answer.Body)
	}
	return nil
}

func (s *scenario) answerHasHeader(header string) error {
	name, value, _ := strings.Cut(header, ": ")
	if got := s.answer.Header.Get(name); got != value {
		return fmt.Errorf("%s: %q, want %q", name, got, value)
	}
	return nil
}

func (s *scenario) answerNames(field string) error {
	if !strings.Contains(string(s.answer.Body), field) {
		return fmt.Errorf("%s is not named: %s", field, s.answer.Body)
	}
	return nil
}
