package houserules_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// A block is a fenced piece of a document, and the plain one that follows it
// and shows what it prints.
type block struct {
	language, text, shown string
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func blocksOf(document string) []block {
	var all []block
	for _, m := range fence.FindAllStringSubmatch(document, -1) {
		if last := len(all) - 1; m[1] == "" && last >= 0 && all[last].language == "sh" {
			all[last].shown = m[2]
			continue
		}
		all = append(all, block{language: m[1], text: m[2]})
	}
	return all
}

// readme is what its commands need: a running up, and the policy shown.
type readme struct {
	lan       lan
	up        *gatewaytest.Up
	caddyfile string // the last one shown
	dir       string // where files are kept from one command to the next
}

const readmeToken = "readme-readme-readme-readme-readme-readme"

var readmeEnv = []string{"LLORCH_API_TOKEN=" + readmeToken}

// A recipe is how the commands that match are run.
type recipe struct {
	command *regexp.Regexp
	run     func(*readme, *testing.T, block)
}

// howToRun has the commands of the README. A command that it does not have fails the
// test, so that each command in the README has been run.
var howToRun = []recipe{
	{regexp.MustCompile(`^go run \./caddymodule/cmd/llorch up$`), (*readme).isRunning},
	{regexp.MustCompile(`^go test \./\.\.\.$`), thisIsIt},
	{regexp.MustCompile(`^curl .*http://127\.0\.0\.1:8080/`), (*readme).curl},
	{regexp.MustCompile(`^llorch validate --config Caddyfile$`), (*readme).validate},
	{regexp.MustCompile(`^llorch run --config Caddyfile$`), (*readme).run},
	{regexp.MustCompile(`^mkdir -p -m 0750 /etc/llorch /run/llorch$`), (*readme).makesDirectories},
	{regexp.MustCompile(`^llorch authmin token (new|rotate|revoke|list) .*--file tokens`), (*readme).inDir},
	{regexp.MustCompile(`^llorch authmin audit verify `), (*readme).auditVerify},
	{regexp.MustCompile(`^llorch authmin (check|lint|explain|doctor) --config Caddyfile`), (*readme).onPolicy},
	{regexp.MustCompile(`^go install \./`), installed},
	{regexp.MustCompile(`^go tool xcaddy build `), builtByCI},
	{regexp.MustCompile(`^\./caddy list-modules$`), builtByCI},
	{regexp.MustCompile(`^go run \./integration/gate( --loop)?$`), ranByCI},
	{regexp.MustCompile(`^go run \./integration/mutants -run '\^decide/'$`), mutatedByCI},
	{regexp.MustCompile(`^go run \./deploy/release --out dist `), releasedByCI},
	{regexp.MustCompile(`^curl --cacert root\.crt .*https://llm\.lan/`), (*readme).colleague},
}

// firstPages are the documents for a newcomer, in the order in which they are read.
// TestDocuments has the others.
var firstPages = []string{"README.md", "deploy/docs/first-hour.md", "deploy/docs/gateway.md", "CONTRIBUTING.md"}

// TestReadme runs every command of the README and the pages after it.
func TestReadme(t *testing.T) {
	r := &readme{up: gatewaytest.StartUp(t, readmeEnv), dir: t.TempDir()}
	commands := 0
	for _, page := range firstPages {
		document, err := os.ReadFile(filepath.Join(root(t), page))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(page), func(t *testing.T) { commands += r.page(t, string(document)) })
	}
	if commands < len(howToRun) { // a recipe without a command is of no use
		t.Errorf("%d commands found, want at least %d", commands, len(howToRun))
	}
}

// page runs every command of a document, and counts them.
func (r *readme) page(t *testing.T, document string) (commands int) {
	t.Helper()
	for _, b := range blocksOf(document) {
		switch b.language {
		case "caddyfile":
			r.caddyfile = b.text
		case "sh":
			commands++
			line := strings.TrimSpace(b.text)
			i := slices.IndexFunc(howToRun, func(h recipe) bool { return h.command.MatchString(line) })
			if i < 0 || strings.Contains(line, "\n") {
				t.Errorf("no recipe for %q: add it to howToRun, one command to a block", line)
				continue
			}
			t.Run(line, func(t *testing.T) { howToRun[i].run(r, t, b) })
		case "":
		default:
			t.Errorf("a block of %q: commands are marked sh", b.language)
		}
	}
	return commands
}

// isRunning: the command is what gatewaytest has built and started, on a free
// port and with a data directory of its own.
func (r *readme) isRunning(t *testing.T, _ block) {
	if err := r.up.Healthy(); err != nil {
		t.Error(err)
	}
}

// thisIsIt is the command that runs this test.
func thisIsIt(*readme, *testing.T, block) {}

// curl runs a line against the running up and looks for each line shown.
func (r *readme) curl(t *testing.T, b block) {
	line := strings.ReplaceAll(b.text, "127.0.0.1:8080", r.up.Address)
	out, err := gatewaytest.Script(t, readmeEnv, strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	got := normal(out[0])
	for want := range strings.Lines(normal(b.shown)) {
		if want = strings.TrimSpace(want); want != "" && !slices.Contains(strings.Split(got, "\n"), want) {
			t.Errorf("the README shows\n%s\nwhich is not in\n%s", want, got)
		}
	}
	if b.shown == "" {
		t.Error("the README does not show what it prints")
	}
}

// normal replaces what differs from run to run.
func normal(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for pattern, with := range map[string]string{
		`\b[0-9A-Z]{26}\b`:            "CORRELATION",
		`"predicted_start_ms":[0-9]+`: `"predicted_start_ms":0`,
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	return text
}

// withCaddyfile is a folder with the policy of the README as its Caddyfile.
func (r *readme) withCaddyfile(t *testing.T, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer(pairs...).Replace(r.caddyfile)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (r *readme) validate(t *testing.T, b block) {
	for _, c := range []struct {
		env []string
		ok  bool
	}{{readmeEnv, true}, {nil, false}} { // "without a token this refuses to start"
		cmd := gatewaytest.Command(t, c.env, strings.Fields(b.text)[1:]...)
		cmd.Dir = r.withCaddyfile(t)
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.ok {
			t.Errorf("with %q: %v, want success %v\n%s", c.env, err, c.ok, out)
		}
		if !c.ok && !bytes.Contains(out, []byte("NON_LOOPBACK_WITHOUT_TOKEN")) {
			t.Errorf("it does not say why:\n%s", out)
		}
	}
}

// run starts the policy with an address of this machine in place of the host
// name, which would need a certificate, and a server in place of Ollama.
func (r *readme) run(t *testing.T, b block) {
	if strings.Contains(r.caddyfile, "https://llm.lan {") {
		r.runLAN(t)
		return
	}
	ollama := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	t.Cleanup(ollama.Close)
	upstream := ollama.Listener.Addr().String()
	address := testkit.FreeAddress(t)
	cmd := gatewaytest.Command(t, readmeEnv, strings.Fields(b.text)[1:]...)
	cmd.Dir = r.withCaddyfile(t, "gateway.example.com {", "http://"+address+" {\n\tbind 127.0.0.1", "127.0.0.1:11434", upstream)
	admin := testkit.FreeAddress(t)
	cmd.Env = append(cmd.Env, "CADDY_ADMIN="+admin)
	gatewaytest.StartCommand(t, cmd).Listening(t, address)
	client := gatewaytest.Client{Base: "http://" + address}
	for path, want := range map[string]int{"/api/tags": http.StatusOK, "/api/none": http.StatusForbidden} {
		for token, status := range map[string]int{"": http.StatusUnauthorized, readmeToken: want} {
			res, err := client.As(token).Do("GET", path, "")
			if err != nil {
				t.Fatal(err)
			}
			if res.Status != status {
				t.Errorf("GET %s with token %q: %d, want %d", path, token, res.Status, status)
			}
			if status == http.StatusOK && string(res.Body) != upstream {
				t.Errorf("the server was called %q, want %q", res.Body, upstream)
			}
		}
	}
}

// builtByCI: a build with xcaddy takes minutes and the network. The CI run
// makes it with the same command; this looks that it still does.
func builtByCI(_ *readme, t *testing.T, b block) {
	script, err := os.ReadFile(filepath.Join(root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(b.text)
	text := strings.NewReplacer(`"$CADDY_VERSION"`, caddyVersion(t, script), `"$caddy"`, "./caddy").Replace(string(script))
	if !strings.Contains(text, line) {
		t.Errorf(".ci/run does not run %q", line)
	}
}

// ranByCI: the gate runs this test, and cannot run inside it. The CI run builds it
// and runs both parts.
func ranByCI(_ *readme, t *testing.T, b block) {
	script, err := os.ReadFile(filepath.Join(root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	part := "--results"
	if strings.Contains(b.text, "--loop") {
		part = "--loop"
	}
	for _, line := range []string{`go build -o "$gate" ./integration/gate`, `"$gate" ` + part} {
		if !strings.Contains(string(script), line) {
			t.Errorf(".ci/run has no %q", line)
		}
	}
}

// mutatedByCI: the CI run has other mutants each time, and the program prints those that it
// would run.
func mutatedByCI(_ *readme, t *testing.T, b block) {
	script, err := os.ReadFile(filepath.Join(root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "go run ./integration/mutants -budget") {
		t.Error(".ci/run runs no mutants")
	}
	cmd := exec.Command("sh", "-c", strings.TrimSpace(b.text)+" -list")
	cmd.Dir = root(t)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "decide/") {
		t.Errorf("got %.200s, %v", out, err)
	}
}

// releasedByCI: the command takes a minute and has a check of its own.
func releasedByCI(_ *readme, t *testing.T, b block) {
	script, err := os.ReadFile(filepath.Join(root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Replace(strings.TrimSpace(b.text), "--out dist", `--out "$work/release"`, 1)
	if !strings.Contains(string(script), line) {
		t.Errorf(".ci/run has no %q", line)
	}
}

func caddyVersion(t *testing.T, script []byte) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^CADDY_VERSION=(v\S+)$`).FindSubmatch(script)
	if m == nil {
		t.Fatal(".ci/run names no Caddy version")
	}
	return string(m[1])
}
