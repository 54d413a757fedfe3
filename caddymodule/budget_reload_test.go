package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// budgetOfAKeyring is a keyring's budget, how many errors are logged until it is in use, and
// the answer to its token then.
type budgetOfAKeyring struct {
	fields         string
	logged, status int
}

// expectLogged writes keyrings one after another, and counts a text in the log.
func expectLogged(t *testing.T, globals, site, text string, keyrings []budgetOfAKeyring) {
	t.Helper()
	ring := filepath.Join(t.TempDir(), "tokens")
	write := func(fields string) {
		writeFile(t, ring+".new", fmt.Sprintf("# format 2\nfew sha256:%s infer%s\n# end 1\n", digestOf(tokenInfer).Hex(), fields), 0o600)
		if err := os.Rename(ring+".new", ring); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	g := serve(t, false, "\tauthmin {\n\t\ttoken_file "+ring+"\n"+globals+"\t}\n", site)
	for i, c := range keyrings {
		write(c.fields)
		var loaded, logged int
		testkit.Eventually(t, fmt.Sprintf("the keyring with%s is loaded, and the log has %d lines with %q", c.fields, c.logged, text), func() bool {
			log := readFile(t, g.log)
			loaded, logged = strings.Count(log, "keyring loaded"), strings.Count(log, text)
			return loaded > i && logged >= c.logged
		})
		if answer, _ := g.ask(t, plainClient(), "GET", "/v1/models", asUser); answer.StatusCode != c.status || logged != c.logged {
			t.Errorf("%s: got %d, and %d lines, want %d and %d", c.fields, answer.StatusCode, logged, c.status, c.logged)
		}
	}
}

// A keyring that got a budget while no directory counts it is an error in the log, once.
func TestABudgetThatNothingCountsIsLogged(t *testing.T) {
	expectLogged(t, "", budgetSite(newUpstream(t, nil).address()), "there is no directory for its counts", []budgetOfAKeyring{
		{" budget=9requests/day", 1, 503}, {" budget=8requests/day", 1, 503}, {" models=*", 1, 200}, {" budget=7requests/day", 2, 503}, {" models=*", 2, 200},
	})
}

// A keyring that got a budget of tokens while no guard has usage is one error in the log.
// With usage, and for budgets of requests, nothing is logged.
func TestABudgetWithoutFiguresIsLogged(t *testing.T) {
	const text = "no guard counts tokens"
	site := budgetSite(newUpstream(t, nil).address())
	directory := func() string { return "\t\tstate_dir " + t.TempDir() + "\n" }
	expectLogged(t, directory(), strings.Replace(site, "\t\tusage\n", "", 1), text, []budgetOfAKeyring{
		{" budget=9requests/day", 0, 200}, {" budget=9ktokens/day", 1, 200}, {" budget=8ktokens/day", 1, 200}, {" models=*", 1, 200}, {" budget=7ktokens/day", 2, 200},
	})
	expectLogged(t, directory(), site, text, []budgetOfAKeyring{{" budget=9ktokens/day", 0, 200}, {" models=*", 0, 200}})
}
