package attacks_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestBudgetsAreNotTalkedAround: a request that could take more than the budget has left, or
// whose limit an upstream could read otherwise than the gateway, does not reach the upstream,
// in one piece or byte by byte.
func TestBudgetsAreNotTalkedAround(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/budgets.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []modelCase
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 54 {
		t.Fatalf("%d cases, want 54: has one gone missing?", len(cases))
	}
	upstream := startEcho(t)
	tokens := writeFile(t, "tokens", "# format 2\n"+keyring(keyringLine("few", tokenOK, "infer", "budget=100ktokens/hour")))
	address, _ := site{
		authmin: "token_file " + tokens + "\nstate_dir " + t.TempDir() + "\nlockout off", bind: "bind 127.0.0.1",
		guard: modelGuard + "usage\nbudget_reserve 100\n",
	}.start(t, upstream.address())
	for _, c := range cases {
		for name, slow := range map[string]bool{"whole": false, "by bytes": true} {
			if slow && len(c.Body) > 100_000 {
				continue
			}
			t.Run(c.Title+", "+name, func(t *testing.T) {
				wire := c.wire(t, address, slow)
				raw, err := exchange(address, wire, 1)
				if err != nil {
					t.Fatal(err)
				}
				got := newOutcome(wire, raw, 0)
				if len(got.responses) == 0 || got.statuses()[0] != c.Status || c.Code != "" && !strings.Contains(string(raw), `"code":"`+c.Code+`"`) {
					t.Fatalf("want %d %s, got %.600q", c.Status, c.Code, raw)
				}
				if got.reached != (c.Status == 200) {
					t.Errorf("reached the upstream: %t", got.reached)
				}
			})
		}
	}
}
