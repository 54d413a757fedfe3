package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cucumber/godog"
	"github.com/llorch/gateway/integration/testkit"
)

func (s *scenario) registerAnswers(sc *godog.ScenarioContext) {
	sc.Step(`^the answer is (\d+)$`, s.answerIs)
	sc.Step(`^the answer asks for a bearer token$`, s.answerAsksForToken)
	sc.Step(`^the answer is a problem with the code "([^"]*)"$`, s.answerIsProblem)
	sc.Step(`^the answer has the header "([^"]*)"$`, s.answerHasHeader)
	sc.Step(`^the answer has a "([^"]*)" of (\d+) to (\d+) seconds$`, s.answerHasSeconds)
	sc.Step(`^the answer names the field "([^"]*)"$`, s.answerNames)
	sc.Step(`^the answer says:$`, s.answerSays)
	sc.Step(`^within (\d+) seconds GET "([^"]*)" `+withToken+` says:$`, s.saysWithin)
	sc.Step(`^within (\d+) seconds GET "([^"]*)" `+withToken+` is answered (\d+)$`, s.answeredWithin)
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

func (s *scenario) answerHasSeconds(header string, least, most int) error {
	got, err := strconv.Atoi(s.answer.Header.Get(header))
	if err != nil || got < least || got > most {
		return fmt.Errorf("%s: %q, want %d to %d", header, s.answer.Header.Get(header), least, most)
	}
	return nil
}

func (s *scenario) answerNames(field string) error {
	if field = s.expand(field); !strings.Contains(string(s.answer.Body), field) {
		return fmt.Errorf("%s is not named: %s", field, s.answer.Body)
	}
	return nil
}

func (s *scenario) answerSays(table *godog.Table) error {
	var said map[string]any
	if err := s.answer.JSON(&said); err != nil {
		return err
	}
	return s.matches(said, table)
}

// matches compares members of an object with the rows of a table: the member's
// name, with dots into objects in it, and its value as text.
func (s *scenario) matches(object map[string]any, table *godog.Table) error {
	rows, err := s.rows(table)
	if err != nil {
		return err
	}
	var wrong error
	for _, row := range rows {
		if got := textAt(object, row[0]); got != row[1] {
			wrong = errors.Join(wrong, fmt.Errorf("%s is %q, want %q", row[0], got, row[1]))
		}
	}
	if wrong != nil {
		text, _ := json.Marshal(object)
		return fmt.Errorf("%w, in %s", wrong, text)
	}
	return nil
}

func textAt(object map[string]any, path string) string {
	name, rest, deeper := strings.Cut(path, ".")
	switch value := object[name].(type) {
	case nil:
		return ""
	case map[string]any:
		if deeper {
			return textAt(value, rest)
		}
		return fmt.Sprint(value)
	default:
		return fmt.Sprint(value)
	}
}

func (s *scenario) saysWithin(seconds int, path, credential string, table *godog.Table) error {
	return within(seconds, func() error {
		if err := s.callWith("GET", path, credential); err != nil {
			return err
		}
		return s.answerSays(table)
	})
}

func (s *scenario) answeredWithin(seconds int, path, credential string, status int) error {
	return within(seconds, func() error {
		if err := s.callWith("GET", path, credential); err != nil {
			return err
		}
		return s.answerIs(status)
	})
}

func within(seconds int, ask func() error) error {
	return testkit.Poll(time.Duration(seconds)*time.Second, ask)
}
