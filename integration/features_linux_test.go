package integration_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
)

// TestFeatures runs the scenarios in features/ against one fleet of processes. A
// step that is not defined is a failure.
func TestFeatures(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	suite := godog.TestSuite{
		ScenarioInitializer: func(sc *godog.ScenarioContext) { new(scenario).register(sc, f) },
		Options:             &godog.Options{Format: "pretty", Paths: []string{"features"}, Strict: true, TestingT: t, Output: testWriter{t}},
	}
	if suite.Run() != 0 {
		t.Error("a scenario failed")
	}
	if err := f.holdsNoToken(); err != nil {
		t.Error(err)
	}
	if f.scenarios < leastScenarios {
		t.Errorf("%d scenarios were run, want at least %d", f.scenarios, leastScenarios)
	}
}

// leastScenarios are fewer than there are: a folder that is not found has none.
const leastScenarios = 80

// testWriter shows the scenarios only when they are asked for or fail.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// A scenario is what one scenario remembers between its steps.
type scenario struct {
	fleet     *fleet
	at        gatewaytest.Client // what it calls, without a token
	mine      gatewaytest.Client // the same with the token of "owner"
	addresses []string           // that it has called from; the last is in use
	unknown   string             // a token that is in no keyring
	presented string             // the token of the last call
	answer    gatewaytest.Response

	trail   *trail             // what the gateway that it calls has audited since it began
	logs    map[string]int     // how much the processes had written when it began
	metrics map[string]float64 // how the gateway's metrics were then
	vars    map[string]string  // further names for expand

	body     string // the last task sent
	taskID   string
	events   []gatewaytest.Event
	previous []gatewaytest.Event
	ran      []taskRun              // by "I run … tasks at once"
	streams  map[string]*openStream // by token name

	exitCode int // of the last command
	output   string
}

func (s *scenario) register(sc *godog.ScenarioContext, f *fleet) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) { return ctx, s.begin(f) })
	sc.After(func(ctx context.Context, _ *godog.Scenario, err error) (context.Context, error) { return ctx, s.end() })
	s.registerCalls(sc)
	s.registerAnswers(sc)
	s.registerRecords(sc)
	s.registerTasks(sc)
	s.registerStreams(sc)
	s.registerNodes(sc)
	s.registerOperator(sc)
	s.registerTrail(sc)
}

// begin gives a scenario an address of its own, so that what one has been locked
// out for is not held against the next, and notes what was there before it.
func (s *scenario) begin(f *fleet) (err error) {
	f.scenarios++
	*s = scenario{fleet: f, unknown: rand.Text(), vars: map[string]string{}, streams: map[string]*openStream{}}
	s.callFromAnotherAddress()
	s.use(f.edge)
	if s.trail, err = openTrail(f.auditFile("audit")); err != nil {
		return err
	}
	s.logs = f.written()
	s.metrics, err = f.scrape()
	return err
}

// end undoes what would be in the way of the next scenario.
func (s *scenario) end() error {
	for _, stream := range s.streams {
		stream.hangUp()
	}
	return s.fleet.restoreKeyring()
}

// use makes a place the one that is called.
func (s *scenario) use(base string) {
	s.at = gatewaytest.Client{Base: base, From: s.addresses[len(s.addresses)-1]}
	s.mine = s.at.As(s.fleet.tokens["owner"])
}

var placeholder = regexp.MustCompile(`\{([a-z0-9 -]+)\}`)

// expand puts values for {names} in a text of a feature: {fp6} is the fingerprint
// of the token that the last call presented, {fp6 of NAME} that of a named one,
// {NAME} a named token itself.
func (s *scenario) expand(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := match[1 : len(match)-1]
		token, known := s.fleet.tokens[name]
		of, isOf := strings.CutPrefix(name, "fp6 of ")
		value, isVar := s.vars[name]
		switch {
		case isVar:
			return value
		case isOf:
			return fp6(s.fleet.tokens[of])
		case known:
			return token
		}
		switch name {
		case "fp6":
			return fp6(s.presented)
		case "id":
			return s.answer.Header.Get("X-Correlation-Id")
		case "unknown":
			return s.unknown
		case "task":
			return s.taskID
		case "my address":
			return s.at.From
		case "digest":
			return s.fleet.modelDigest
		}
		return match
	})
}

func fp6(token string) string { return authmin.NewSecret(token).Fingerprint() }

// rows are the pairs of a table with two columns.
func (s *scenario) rows(table *godog.Table) ([][2]string, error) {
	var all [][2]string
	for _, row := range table.Rows {
		if len(row.Cells) != 2 {
			return nil, fmt.Errorf("a row of %d cells, want 2", len(row.Cells))
		}
		all = append(all, [2]string{row.Cells[0].Value, s.expand(row.Cells[1].Value)})
	}
	return all, nil
}
