package integration_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// documentParts prepares what a document of deploy/docs takes for granted, in the
// order in which the documents are run. One that is not here is a failure.
var documentParts = []struct {
	name     string
	commands int // at least
	prepare  func(*testing.T, *fleet, string)
}{
	{"tokens.md", 14, func(*testing.T, *fleet, string) {}},
	{"checklist.md", 14, holdOperatorsHeader},
	{"clients.md", 8, holdClientsKey},
	{"incidents.md", 20, prepareIncident},
	{"threat-model.md", 0, func(*testing.T, *fleet, string) {}},
	{"operations.md", 10, prepareOperation},
	{"engines.md", 0, func(*testing.T, *fleet, string) {}},
	{"soak.md", 0, func(*testing.T, *fleet, string) {}}, // integration/soak reads its commands
	{"configuration.md", 0, func(*testing.T, *fleet, string) {}},
	{"backends.md", 0, func(*testing.T, *fleet, string) {}},
	{"cookbook.md", 0, validatesCookbook},
	{"limits.md", 0, func(*testing.T, *fleet, string) {}},
	{"page.md", 0, func(*testing.T, *fleet, string) {}},
	{"comparison.md", 0, func(*testing.T, *fleet, string) {}},
	{"attacks.md", 0, func(*testing.T, *fleet, string) {}},
	{"observability.md", 1, func(*testing.T, *fleet, string) {}},
	{"colleagues.md", 7, func(*testing.T, *fleet, string) {}},
	{"usage.md", 1, func(*testing.T, *fleet, string) {}},
	{"budgets.md", 1, validatesBudgets},
	{"install.md", 0, func(*testing.T, *fleet, string) {}},
}

// ranElsewhere are documents whose commands another test runs.
var ranElsewhere = map[string]string{
	"nodes.md":      "TestNodeJoin",
	"kubernetes.md": "TestProgramsAcceptTheirConfiguration",
	"first-hour.md": "TestReadme",
	"gateway.md":    "TestReadme",
}

// TestDocuments runs every command of deploy/docs, a document to a shell, against
// a fleet of real processes, and looks for each line that the document shows. The
// paths and addresses of the documents are replaced by the fleet's. systemctl,
// kubectl, journalctl and chown are stand-ins: a reload is carried out, a start, a
// stop and a restart are only checked to be of a unit that is shipped.
func TestDocuments(t *testing.T) {
	t.Parallel()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "deploy", "docs", "*.md"))
	if err != nil || len(files) != len(documentParts)+len(ranElsewhere) {
		t.Fatalf("documents %q (%v), want the %d that documentParts and ranElsewhere name", files, err, len(documentParts)+len(ranElsewhere))
	}
	f := startFleet(t)
	for _, part := range documentParts {
		t.Run(part.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, "deploy", "docs", part.name))
			if err != nil {
				t.Fatal(err)
			}
			home := t.TempDir()
			part.prepare(t, f, home)
			if n := f.runDocument(t, root, home, string(text)); n < part.commands {
				t.Errorf("%d blocks of commands, want at least %d", n, part.commands)
			}
		})
	}
	if err := f.holdsNoToken(); err != nil {
		t.Error(err)
	}
}

// TestConsoleBlocksAreRun looks that the blocks which this package does not run are below
// the headings that integration/packages and integration/containers run.
func TestConsoleBlocksAreRun(t *testing.T) {
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range documentParts {
		text, err := os.ReadFile(filepath.Join(root, "deploy", "docs", part.name))
		if err != nil {
			t.Fatal(err)
		}
		run := 0
		for _, heading := range map[string][]string{"install.md": {"Packages", "Containers"}, "operations.md": {"Upgrade"}}[part.name] {
			run += len(gatewaytest.ConsoleBlocks(string(text), heading))
		}
		if all := len(gatewaytest.ConsoleBlocks(string(text), "")); all != run {
			t.Errorf("%s: %d of %d blocks marked console are run", part.name, run, all)
		}
	}
}

var fencedBlock = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// runDocument runs the blocks marked sh one after the other in one shell, and
// returns how many there were. A plain block after one shows parts of its output.
func (f *fleet) runDocument(t *testing.T, root, home, document string) int {
	t.Helper()
	commands := []string{"exec 2>&1"}
	shown := map[int]string{} // by command
	for _, m := range fencedBlock.FindAllStringSubmatch(document, -1) {
		switch language, text := m[1], m[2]; language {
		case "sh":
			commands = append(commands, f.here(root, text))
		case "":
			shown[len(commands)-1] = text
		case "caddyfile":
			f.adapts(t, f.here(root, text))
		case "yaml":
			isManifest(t, text)
		case "console": // TestConsoleBlocksAreRun
		default:
			t.Errorf("a block of %q: commands are marked sh", language)
		}
	}
	env := append([]string{gatewaytest.StandInDir + "=" + f.dir, gatewaytest.StandInRoot + "=" + root}, f.env...)
	outputs, err := gatewaytest.ScriptIn(t, home, env, commands...)
	if err != nil {
		t.Fatalf("%v\nits output: %s", err, outputs[len(outputs)-1])
	}
	for i, text := range shown {
		for want := range strings.Lines(text) {
			if want = strings.TrimSpace(want); want != "" && !strings.Contains(outputs[i], want) {
				t.Errorf("the document shows %q after\n%s\nwhich prints\n%s", want, commands[i], outputs[i])
			}
		}
	}
	return len(commands) - 1
}

// here replaces the paths and addresses of the documents by the fleet's. The
// longest go first: one may be the beginning of another.
func (f *fleet) here(root, text string) string {
	places := map[string]string{
		"/etc/llorch": f.dir, "/var/log/llorch": f.dir, "/run/llorch": f.dir, "/var/lib/llorch-gateway": f.path("lib"),
		"/var/lib/llorch-orchestrator": f.path("kept"),
		"https://gateway.example.com":  f.edge, "http://127.0.0.1:8081": f.orchestrator,
		"http://127.0.0.1:9200": "http://" + f.nodes["node1"].address, "deploy/cluster/": filepath.Join(root, "deploy", "cluster") + "/",
	}
	longest := slices.SortedFunc(maps.Keys(places), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, place := range longest {
		text = strings.ReplaceAll(text, place, places[place])
	}
	return text
}

// adapts looks that a Caddyfile of a document is one.
func (f *fleet) adapts(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := gatewaytest.Command(t, nil, "adapt", "--adapter", "caddyfile", "--config", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\nin\n%s", err, out, text)
	}
}

// isManifest looks that a block is YAML, and mounts no single file.
func isManifest(t *testing.T, text string) {
	t.Helper()
	var manifest map[string]any
	if err := yaml.Unmarshal([]byte(text), &manifest); err != nil || len(manifest) == 0 {
		t.Errorf("%v in\n%s", err, text)
	}
	if strings.Contains(text, "subPath:") || strings.Contains(text, "/etc/llorch/tokens:") {
		t.Errorf("a single file is mounted in\n%s", text)
	}
}

// holdOperatorsHeader makes ~/operator.header, as tokens.md does.
func holdOperatorsHeader(t *testing.T, f *fleet, home string) {
	t.Helper()
	header := fmt.Sprintf("Authorization: Bearer %s\n", f.tokens["owner"])
	if err := os.WriteFile(filepath.Join(home, "operator.header"), []byte(header), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prepareIncident makes a token that has leaked and was used, a guess, a
// certificate of the gateway's, and the orchestrator's journal.
func prepareIncident(t *testing.T, f *fleet, home string) {
	t.Helper()
	holdOperatorsHeader(t, f, home)
	token, err := gatewaytest.CommandOf(t, "llorch", f.env, "authmin", "token", "new", "reports", "infer", "--config", f.path("Caddyfile")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "leaked.token"), token, 0o600); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{strings.TrimSpace(string(token)): 200, strings.Repeat("guess-", 6): 401} {
		res, err := f.as("ci").As(token).Do("GET", "/v1/models", "")
		if err != nil || res.Status != want {
			t.Fatalf("GET /v1/models: %d, %v, want %d", res.Status, err, want)
		}
	}
	if err := os.MkdirAll(f.path("lib/caddy/certificates"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write("orchestratord.journal", f.processes["the orchestrator"].Output())
}
