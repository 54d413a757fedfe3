package integration_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func (s *scenario) registerTrail(sc *godog.ScenarioContext) {
	sc.Step(`^the operator verifies the audit trail$`, func() error { return s.verify("audit.key", "audit.ndjson") })
	sc.Step(`^the operator verifies the copy$`, func() error { return s.verify("audit.key", "copy.ndjson") })
	sc.Step(`^the operator verifies the audit trail with another key$`, s.verifyWithAnotherKey)
	sc.Step(`^a copy of the audit trail with (.*)$`, s.copyTrail)
}

func (s *scenario) verify(key, file string) error {
	args := []string{"authmin", "audit", "verify", "--key", s.fleet.path(key), s.fleet.path(file)}
	_, err := s.run(gatewaytest.CommandOf(s.fleet.t, "llorch", nil, args...))
	return err
}

func (s *scenario) verifyWithAnotherKey() error {
	s.fleet.write("other.key", s.unknown+s.unknown+"\n")
	return s.verify("other.key", "audit.ndjson")
}

// changes are what can be done to the lines of a trail.
var changes = map[string]func(lines []string) []string{
	"an edited record": func(lines []string) []string {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"decision":"refuse"`) })
		lines[i] = strings.Replace(lines[i], `"decision":"refuse"`, `"decision":"allow"`, 1)
		return lines
	},
	"a deleted record": func(lines []string) []string { return slices.Delete(lines, 2, 3) },
	"two records exchanged": func(lines []string) []string {
		lines[2], lines[3] = lines[3], lines[2]
		return lines
	},
	"its end cut off": func(lines []string) []string { return lines[:4] },
}

// copyTrail copies the trail as far as it is written, and its head, and changes
// the copy.
func (s *scenario) copyTrail(change string) error {
	text, err := os.ReadFile(s.fleet.auditFile("audit"))
	head, err2 := os.ReadFile(s.fleet.auditFile("audit") + ".head")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	lines := slices.Collect(strings.Lines(string(text)))
	if len(lines) < 10 || changes[change] == nil {
		return fmt.Errorf("%d records, and no way to make %q", len(lines), change)
	}
	s.fleet.write("copy.ndjson", strings.Join(changes[change](lines), ""))
	s.fleet.write("copy.ndjson.head", string(head))
	return nil
}
