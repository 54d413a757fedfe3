package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cucumber/godog"
)

// soon is how many seconds a log, a metric or an audit record may take to show
// what has happened, on a busy machine.
const soon = 10

func (s *scenario) registerRecords(sc *godog.ScenarioContext) {
	sc.Step(`^the audit trail has the record of this answer:$`, s.hasRecordOfAnswer)
	sc.Step(`^the audit trail has an? "([^"]*)" record:$`, s.hasRecord)
	sc.Step(`^within (\d+) seconds the audit trail has a "([^"]*)" record of this scenario's first address$`, s.hasRecordOfAddress)
	sc.Step(`^(the orchestrator|the pool manager)'s log has "([^"]*)":$`, s.logHas)
	sc.Step(`^the log of (the orchestrator|the pool manager) has "([^"]*)":$`, s.logHas)
	sc.Step(`^the metric '([^']*)' has grown by (\d+)$`, s.metricGrewBy)
	sc.Step(`^the metric '([^']*)' has grown$`, func(name string) error { return s.metricGrows(name, soon) })
	sc.Step(`^the metric '([^']*)' grows within (\d+) seconds$`, s.metricGrows)
	sc.Step(`^no log and no audit trail holds the token that I sent$`, s.tokenIsNowhere)
}

// trail is an audit file from where a scenario began.
type trail struct {
	path string
	from int64
}

func openTrail(path string) (*trail, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &trail{path, info.Size()}, nil
}

// records are the whole lines since then.
func (t *trail) records() ([]map[string]any, error) {
	f, err := os.Open(t.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(t.from, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return objects(text)
}

// objects are the lines of a log that are JSON objects. What stands before the
// log is ready is no JSON, and a line that is being written is not whole.
func objects(text []byte) (all []map[string]any, err error) {
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(whole) {
		var object map[string]any
		if json.Unmarshal(line, &object) == nil {
			all = append(all, object)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no record in %d bytes", len(text))
	}
	return all, nil
}

func (s *scenario) hasRecordOfAnswer(table *godog.Table) error {
	id := s.answer.Header.Get("X-Correlation-Id")
	if id == "" {
		return fmt.Errorf("the answer has no correlation id")
	}
	var found map[string]any
	err := within(soon, func() error {
		all, err := s.trail.records()
		if err != nil {
			return err
		}
		for _, r := range all {
			if r["correlation_id"] == id && r["decision"] != nil {
				found = r
				return nil
			}
		}
		return fmt.Errorf("no record of %s among %d", id, len(all))
	})
	if err != nil {
		return err
	}
	return s.matches(found, table)
}

func (s *scenario) hasRecord(event string, table *godog.Table) error {
	return within(soon, func() error {
		all, err := s.trail.records()
		if err != nil {
			return err
		}
		return s.anyMatches(all, "event", event, table)
	})
}

// anyMatches looks for an object with a name that has the rows of a table.
func (s *scenario) anyMatches(all []map[string]any, key, name string, table *godog.Table) error {
	err := fmt.Errorf("no %q among %d records", name, len(all))
	for _, r := range all {
		if r[key] != name {
			continue
		}
		if err = s.matches(r, table); err == nil {
			return nil
		}
	}
	return err
}

func (s *scenario) hasRecordOfAddress(seconds int, event string) error {
	return within(seconds, func() error {
		all, err := s.trail.records()
		for _, r := range all {
			if r["event"] == event && r["client_ip"] == s.addresses[0] {
				return nil
			}
		}
		return fmt.Errorf("no %q of %s among %d records: %v", event, s.addresses[0], len(all), err)
	})
}

func (s *scenario) logHas(process, message string, table *godog.Table) error {
	return within(soon, func() error {
		all, err := objects([]byte(s.fleet.processes[process].Output()[s.logs[process]:]))
		if err != nil {
			return err
		}
		return s.anyMatches(all, "msg", message, table)
	})
}

// scrape reads the gateway's metrics.
func (f *fleet) scrape() (map[string]float64, error) {
	res, err := f.as("scraper").Do("GET", "/metrics", "")
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(res.Body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if ok {
			name += "}"
		} else {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = number
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no metric in the answer %d to GET /metrics", res.Status)
	}
	return all, nil
}

// growth is by how much a metric has grown since the scenario began; one that was
// not there was 0.
func (s *scenario) growth(name string) (float64, error) {
	now, err := s.fleet.scrape()
	if err != nil {
		return 0, err
	}
	value, ok := now[name]
	if !ok {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return value - s.metrics[name], nil
}

func (s *scenario) metricGrewBy(name string, want float64) error {
	return within(soon, func() error {
		got, err := s.growth(name)
		if err == nil && got != want {
			err = fmt.Errorf("%s has grown by %v, want %v", name, got, want)
		}
		return err
	})
}

func (s *scenario) metricGrows(name string, seconds int) error {
	return within(seconds, func() error {
		got, err := s.growth(name)
		if err == nil && got <= 0 {
			err = fmt.Errorf("%s has grown by %v", name, got)
		}
		return err
	})
}

func (s *scenario) tokenIsNowhere() error {
	if s.presented == "" {
		return fmt.Errorf("the last call sent no token")
	}
	for name, text := range s.fleet.texts() {
		if strings.Contains(text, s.presented) {
			return fmt.Errorf("%s holds the token", name)
		}
	}
	return nil
}
