//go:build observability

package observability_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// alertLimit is how long an alert may take to fire on a machine that is busy.
const alertLimit = 90 * time.Second

// A cause is something that happens, and the alerts that fire because of it.
type cause struct {
	what   string
	happen func(*fleet) // nil: it has happened already
	alerts []string
}

const firstTokenSlow = "LlorchFirstTokenSlow"

// causes are in an order: what is lost stays lost.
var causes = []cause{
	{"the configuration, from the start", nil, []string{"LlorchShadowMode", "LlorchUnguardedListener", "LlorchTokenExpiring", "LlorchAuditFailing", "LlorchDiskLow"}},
	{"a token without the scope", (*fleet).refusals, []string{"LlorchRefusals"}},
	{"a revoked token", (*fleet).revoked, []string{"LlorchRevokedTokenUsed"}},
	{"guesses from many addresses", (*fleet).guesses, []string{"LlorchBruteForce", "LlorchLockouts"}},
	{"a program that goes on although its budget is spent", func(f *fleet) { f.spend(30) }, []string{"LlorchBudgetRefusals"}},
	{"the folder of the counts of budgets that is deleted", (*fleet).loseCounts, []string{"LlorchBudgetsUnavailable"}},
	{"more tasks than may wait, whose deadline is short", (*fleet).fill, []string{"LlorchQueueFull", "LlorchFailureRate"}},
	{"an engine that is killed again and again", func(f *fleet) {
		for range 3 {
			f.killEngine()
		}
	}, []string{"LlorchEngineRestarts"}},
	{"streams that begin late at a guard without an orchestrator", (*fleet).lateStreams, []string{"LlorchGuardFirstTokenSlow"}},
	{"the one of these tasks that the slow pool ran", nil, []string{firstTokenSlow}},
	{"a keyring that is no keyring", func(f *fleet) { f.write("tokens", "spoilt\n") }, []string{"LlorchTokenFileUnusable"}},
	{"a node that is killed", func(f *fleet) { f.kill("poolmanagerd") }, []string{"LlorchTargetDown"}},
	{"an orchestrator that is killed, and writes that it misses", func(f *fleet) {
		f.kill("replica3")
		f.write1100()
	}, []string{"LlorchReplicaBehind"}},
	{"the node that is silent since then", nil, []string{"LlorchNodeLost"}},
	{"another orchestrator that is killed", func(f *fleet) { f.kill("replica2") }, []string{"LlorchQuorumLost", "LlorchNoLeader"}},
}

// Every alert fires because of what it is for, and not before. Between the two halves the
// dashboards are looked at, while everything runs.
func TestAlertsFire(t *testing.T) {
	f := startFleet(t)
	s := startPrometheus(t, f)
	testkit.Within(t, startLimit, "two scrapes of all five targets", func() error {
		n, err := s.query("count_over_time(up[1h]) >= 2 and up == 1")
		if err == nil && n != 5 {
			err = fmt.Errorf("%d of 5", n)
		}
		return err
	})
	lintMetrics(t, f)
	seen := map[string]bool{}
	for _, c := range causes {
		begin := time.Now()
		if c.happen != nil {
			s.quiet(t, c)
			c.happen(f)
		}
		for _, name := range c.alerts {
			s.fires(t, c.what, name)
			seen[name] = true
		}
		t.Logf("%s: %s", c.what, time.Since(begin).Round(time.Second))
		if c.alerts[0] == firstTokenSlow { // the last before something is lost
			evaluateDashboards(t, s)
		}
	}
	names, err := s.rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !seen[name] {
			t.Errorf("no cause is known for alert %s", name)
		}
	}
}

// quiet looks that nothing of a cause fires before it happens.
func (s *server) quiet(t *testing.T, c cause) {
	t.Helper()
	firing, err := s.firing()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range c.alerts {
		if a, ok := firing[name]; ok {
			t.Errorf("%s fires before %s: %v", name, c.what, a.Labels)
		}
	}
}

// fires waits for an alert, and looks at the words that it comes with.
func (s *server) fires(t *testing.T, what, name string) {
	t.Helper()
	var got alert
	testkit.Within(t, alertLimit, name+", because of "+what, func() error {
		firing, err := s.firing()
		if err != nil {
			return err
		}
		var ok bool
		if got, ok = firing[name]; !ok {
			return fmt.Errorf("these fire: %v", slices.Sorted(maps.Keys(firing)))
		}
		return nil
	})
	for annotation, text := range got.Annotations {
		if text == "" || strings.Contains(text, "<no value>") || strings.Contains(text, "error expanding") {
			t.Errorf("%s: %s is %q", name, annotation, text)
		}
	}
}

// kill ends a process without a chance to say so.
func (f *fleet) kill(name string) {
	f.t.Helper()
	if err := f.processes[name].Signal(syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	<-f.processes[name].Exited()
}

// refusals are more than 0.2 a second of five minutes.
func (f *fleet) refusals() {
	for range 90 {
		f.refused("ci", "", "/v2/nodes", 403)
	}
}

func (f *fleet) revoked() {
	f.writeKeyring("leaked")
	testkit.Within(f.t, startLimit, "the revocation", func() error {
		res, err := f.as("leaked").Do("GET", "/v2/tasks", "")
		if err == nil && res.Status != 401 {
			err = fmt.Errorf("got %d", res.Status)
		}
		return err
	})
}

// spend makes requests that a spent budget refuses.
func (f *fleet) spend(refusals int) {
	for range refusals {
		f.refused("spender", "", "/v2/tasks", 429)
	}
}

func (f *fleet) loseCounts() {
	if err := os.RemoveAll(f.path("budgets")); err != nil {
		f.t.Fatal(err)
	}
}

// guesses lock 25 clients out, and are more than one a second of five minutes.
func (f *fleet) guesses() {
	for i := range 25 {
		for range 16 {
			f.refused("nothing", fmt.Sprint("127.0.7.", i+1), "/v2/tasks", 401, 429)
		}
	}
}

// refused makes one request, from an address where one is given.
func (f *fleet) refused(token, from, path string, want ...int) {
	f.t.Helper()
	c := f.as(token)
	if c.Token == "" {
		c.Token = "guess-0123456789abcdefghijklmnopqrstuv"
	}
	c.From = from
	res, err := c.Do("GET", path, "")
	if err != nil {
		f.t.Fatal(err)
	}
	if !slices.Contains(want, res.Status) {
		f.t.Fatalf("GET %s with the token %s: got %d, want %v", path, token, res.Status, want)
	}
}
