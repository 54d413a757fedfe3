package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// A keyring that got a budget while no directory counts it is an error in the log, once.
func TestABudgetThatNothingCountsIsLogged(t *testing.T) {
	ring := filepath.Join(t.TempDir(), "tokens")
	write := func(fields string) {
		writeFile(t, ring+".new", fmt.Sprintf("# format 2\nfew sha256:%s infer%s\n# end 1\n", digestOf(tokenInfer).Hex(), fields), 0o600)
		if err := os.Rename(ring+".new", ring); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	g := serve(t, false, "\tauthmin {\n\t\ttoken_file "+ring+"\n\t}\n", budgetSite(newUpstream(t, nil).address()))
	for i, c := range []struct {
		fields         string
		logged, status int
	}{
		{" budget=9requests/day", 1, 503}, {" budget=8requests/day", 1, 503}, {" models=*", 1, 200}, {" budget=7requests/day", 2, 503}, {" models=*", 2, 200},
	} {
		write(c.fields)
		var loaded, logged int
		testkit.Eventually(t, "the keyring", func() bool {
			log := readFile(t, g.log)
			loaded, logged = strings.Count(log, "keyring loaded"), strings.Count(log, "there is no directory for its counts")
			return loaded > i && logged >= c.logged
		})
		if answer, _ := g.ask(t, plainClient(), "GET", "/v1/models", asUser); answer.StatusCode != c.status || logged != c.logged {
			t.Errorf("%s: got %d, and %d lines, want %d and %d", c.fields, answer.StatusCode, logged, c.status, c.logged)
		}
	}
}
