package integration_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// holdClientsKey makes ~/llm.key.
func holdClientsKey(t *testing.T, f *fleet, home string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, "llm.key"), []byte(f.tokens["ci"]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prepareOperation has an orchestrator of its own write a state directory, which the
// document copies and restores, and looks afterwards that the copy has everything.
func prepareOperation(t *testing.T, f *fleet, home string) {
	t.Helper()
	holdOperatorsHeader(t, f, home)
	id := f.withKeptState(t, func(client gatewaytest.Client) (string, error) {
		res, err := client.Do("POST", "/v2/artifacts", `{"kind":"plan","content":{"kept":true}}`, "Content-Type: application/json")
		var made struct{ ID string }
		if err == nil && res.Status != 201 {
			err = fmt.Errorf("got %d %s", res.Status, res.Body)
		}
		if err == nil {
			err = res.JSON(&made)
		}
		return made.ID, err
	})
	t.Cleanup(func() {
		if _, err := os.Stat(f.path("kept.before")); err != nil {
			t.Errorf("the document did not put the old state aside: %v", err)
		}
		f.withKeptState(t, func(client gatewaytest.Client) (string, error) {
			res, err := client.Do("GET", "/v2/artifacts/"+id, "")
			if err == nil && (res.Status != 200 || !strings.Contains(string(res.Body), `"kept"`)) {
				err = fmt.Errorf("the restored state has no artifact: %d %s", res.Status, res.Body)
			}
			return "", err
		})
	})
}

// withKeptState starts an orchestrator on the state directory of the document, asks it,
// and stops it.
func (f *fleet) withKeptState(t *testing.T, ask func(gatewaytest.Client) (string, error)) string {
	t.Helper()
	address := testkit.FreeAddress(t)
	cmd := gatewaytest.CommandOf(t, "orchestratord", []string{"ORCHD_ADDR=" + address, "ORCHD_STATE_DIR=" + f.path("kept"), "LLORCH_API_TOKEN=" + ownerToken})
	p := gatewaytest.StartCommand(t, cmd)
	p.Listening(t, address)
	var answer string
	testkit.Within(t, startLimit, "an answer of the orchestrator", func() (err error) {
		answer, err = ask(gatewaytest.Client{Base: "http://" + address}.As(ownerToken))
		return err
	})
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	return answer
}

// validatesCookbook has each block of the cookbook judged as a start would judge it,
// on its own.
func validatesCookbook(t *testing.T, _ *fleet, _ string) {
	validates(t, "cookbook.md", 8, nil)
}

// validatesBudgets is the same for the document of budgets, with a token and a directory.
func validatesBudgets(t *testing.T, _ *fleet, _ string) {
	token, counts := filepath.Join(t.TempDir(), "intern_token"), t.TempDir()
	if err := os.WriteFile(token, []byte(rand.Text()+rand.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	validates(t, "budgets.md", 1, strings.NewReplacer("/run/secrets/intern_token", token, "/var/lib/llorch-gateway/budgets", counts))
}

// validates has the Caddyfiles of a document judged, at least so many.
func validates(t *testing.T, name string, least int, places *strings.Replacer) {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, m := range fencedBlock.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "caddyfile" {
			continue
		}
		config := m[2]
		if places != nil {
			config = places.Replace(config)
		}
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := gatewaytest.Command(t, append(ownerEnv, "VLLM_API_KEY=key-of-an-upstream"), "validate", "--adapter", "caddyfile", "--config", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\nin\n%s", err, out, config)
		}
		blocks++
	}
	if blocks < least {
		t.Errorf("%d blocks, want at least %d", blocks, least)
	}
}
