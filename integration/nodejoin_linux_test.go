package integration_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// joinedFleet is an orchestrator behind a gateway with a certificate of a private
// authority, and a machine without any file of ours that becomes its node.
type joinedFleet struct {
	t                              *testing.T
	dir                            string // where the commands of the document run
	operator, node                 string // /etc/llorch of each host
	orchestrator, edge, site, pool string // addresses
	token, upstream                string
	blocks                         []string // of nodes.md, marked sh
	shown                          []string
	env                            []string
}

// TestNodeJoin follows deploy/docs/nodes.md from empty directories to a task that runs
// on the node: its commands, and those that `llorch node join` prints, as they are but
// for paths and addresses.
func TestNodeJoin(t *testing.T) {
	f := newJoinedFleet(t)
	f.run(0) // certificates
	f.startOrchestrator()
	f.run(1) // the node's token
	f.refusesWhatCannotWork()
	f.dryRunWritesNothing()

	first := f.run(2)
	f.hasPrivateFiles()
	before := f.state()
	f.startAsPrinted(first)
	f.runsATask()

	testkit.Within(t, 30*time.Second, "the way back", func() error {
		return contains(f.run(3), f.shown[3])
	})
	if after := f.state(); after != before {
		t.Errorf("the second run changed\n%s\nto\n%s", before, after)
	}
	f.keepsWhatIsThere()
}

func newJoinedFleet(t *testing.T) *joinedFleet {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	f := &joinedFleet{
		t: t, dir: filepath.Join(work, "work"), operator: filepath.Join(work, "operator"), node: filepath.Join(work, "node"),
		orchestrator: testkit.FreeAddress(t), edge: testkit.FreeAddress(t), site: testkit.FreeAddress(t), pool: testkit.FreeAddress(t),
		token: rand.Text() + rand.Text(), upstream: rand.Text() + rand.Text(),
	}
	for _, dir := range []string{f.dir, f.operator} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "docs", "nodes.md"))
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer(
		"/etc/llorch", f.operator, "deploy/cluster/", filepath.Join(root, "deploy", "cluster")+"/",
		"https://orch.internal", "https://localhost:"+portOf(f.edge), "https://gpu1.internal", "https://localhost:"+portOf(f.site),
		"orch.internal", "localhost", "gpu1.internal", "localhost",
		"llorch node join ", "llorch node join --dir "+f.node+" --pool-manager "+f.pool+" ",
	)
	for _, m := range fencedBlock.FindAllStringSubmatch(string(text), -1) {
		switch m[1] {
		case "sh":
			f.blocks, f.shown = append(f.blocks, here.Replace(m[2])), append(f.shown, "")
		case "":
			f.shown[len(f.shown)-1] = m[2]
		}
	}
	if len(f.blocks) != 4 {
		t.Fatalf("%d commands in nodes.md, want 4", len(f.blocks))
	}
	var folders []string
	for _, program := range []string{"llorch", "orchestratord", "poolmanagerd"} {
		folders = append(folders, filepath.Dir(gatewaytest.Program(t, program)))
	}
	f.env = []string{
		"PATH=" + strings.Join(folders, ":") + ":" + os.Getenv("PATH"), "HOME=" + work,
		"XDG_DATA_HOME=" + work, "XDG_CONFIG_HOME=" + work, "XDG_RUNTIME_DIR=" + f.dir,
	}
	writeKeyring(t, f.operator, map[string]string{"ci infer": rand.Text() + rand.Text()})
	return f
}

// portOf is the port of host:port.
func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

func (f *joinedFleet) shell(script string) *exec.Cmd {
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir, cmd.Env = f.dir, f.env
	return cmd
}

// run runs a command of the document, and looks for what the document shows.
func (f *joinedFleet) run(i int) string {
	f.t.Helper()
	out, err := f.shell("exec 2>&1\n" + f.blocks[i]).Output()
	if err != nil {
		f.t.Fatalf("%v: %s\n%s", err, f.blocks[i], out)
	}
	if i < 3 { // the last one is repeated until the node answers
		if err := contains(string(out), f.shown[i]); err != nil {
			f.t.Error(err)
		}
	}
	return string(out)
}

func contains(got, lines string) error {
	for want := range strings.Lines(lines) {
		if !strings.Contains(got, strings.TrimSpace(want)) {
			return fmt.Errorf("got\n%s\nwant in it\n%s", got, want)
		}
	}
	return nil
}

// startOrchestrator starts the operator's side, with the document's node_ca.
func (f *joinedFleet) startOrchestrator() {
	f.t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		f.t.Fatal(err)
	}
	https := filepath.Join(f.dir, "https")
	caddyfile := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https disable_redirects
	grace_period 1s
	authmin {
		token_file %s/tokens
	}
}

import %s/deploy/presets/orchestrator.caddyfile

https://localhost:%s {
	bind 127.0.0.1
	tls %s/localhost.pem %s/localhost.key
	import authmin-orchestrator %s {env.LLORCH_UPSTREAM_TOKEN}
}
`, f.operator, root, portOf(f.edge), https, https, f.orchestrator)
	file := filepath.Join(f.operator, "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile), 0o600); err != nil {
		f.t.Fatal(err)
	}
	env := append(f.env, "LLORCH_UPSTREAM_TOKEN="+f.upstream)
	gateway := gatewaytest.CommandOf(f.t, "llorch", env, "run", "--config", file)
	orchestrator := gatewaytest.CommandOf(f.t, "orchestratord", append(env,
		"ORCHD_ADDR="+f.orchestrator, "ORCHD_STATE_DIR="+filepath.Join(f.operator, "state"), "LLORCH_API_TOKEN="+f.token,
		"ORCHD_NODE_CA="+filepath.Join(https, "ca.pem")))
	gatewaytest.StartCommand(f.t, orchestrator).Listening(f.t, f.orchestrator)
	gatewaytest.StartCommand(f.t, gateway).Listening(f.t, f.edge)
}

// join runs the document's command with other arguments.
func (f *joinedFleet) join(change ...string) (string, error) {
	out, err := f.shell("exec 2>&1\n" + strings.NewReplacer(change...).Replace(f.blocks[2])).Output()
	return string(out), err
}

// refusesWhatCannotWork: nothing is written where something is wrong.
func (f *joinedFleet) refusesWhatCannotWork() {
	f.t.Helper()
	secret := rand.Text() + rand.Text()
	script := "printf '%s\\n' " + secret + " >unknown.token; cp https/ca.key https/both.pem; " +
		"(umask 077; llorch authmin token new scraper metrics --file " + f.operator + "/tokens >scraper.token); " +
		"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout other.key -out other.pem -days 2"
	if out, err := f.shell("exec 2>&1\n" + script).Output(); err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"an unknown token":      {[]string{"gpu1.token", "unknown.token"}, "it does not know the token of"},
		"another scope":         {[]string{"gpu1.token", "scraper.token"}, "it needs scope nodes"},
		"the system's CAs":      {[]string{"--ca https/ca.pem ", ""}, "name the file of its authority with --ca"},
		"another authority":     {[]string{"https/ca.pem", "other.pem"}, "is not by an authority in"},
		"a key among the CAs":   {[]string{"https/ca.pem", "https/both.pem"}, "private key"},
		"another name":          {[]string{"--address https://localhost", "--address https://127.0.0.1"}, "the certificate is not for 127.0.0.1"},
		"plain http":            {[]string{"https://localhost:" + portOf(f.edge), "http://localhost:" + portOf(f.edge)}, "tokens would travel in clear"},
		"a token as argument":   {[]string{"--token-file gpu1.token", secret}, "want one URL"},
		"an open pool manager":  {[]string{f.pool, "0.0.0.0:9200"}, "want an address of this machine only"},
		"nothing that listens":  {[]string{"https://localhost:" + portOf(f.edge), "https://localhost:" + portOf(f.pool)}, "nothing listens on port"},
		"no gateway":            {[]string{"https://localhost:" + portOf(f.edge), "https://localhost:" + portOf(f.orchestrator)}, "does not speak TLS"},
		"a certificate, no key": {[]string{" --key https/localhost.key", ""}, "belong together"},
		"no certificate":        {[]string{" --cert https/localhost.pem --key https/localhost.key", ""}, "no public authority"},
	} {
		out, err := f.join(c.change...)
		if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, secret) {
			f.t.Errorf("%s: %v\n%s\nwant an error with %q, and no token", name, err, out, c.want)
		}
		if _, err := os.Stat(f.node); err == nil {
			f.t.Fatalf("%s: %s was written", name, f.node)
		}
	}
}

// dryRunWritesNothing, and prints the line for the operator: this address is outside
// the orchestrator's node_networks, and its daemon takes the line.
func (f *joinedFleet) dryRunWritesNothing() {
	f.t.Helper()
	const address = "192.0.2.7"
	script := "exec 2>&1\n" + strings.NewReplacer("localhost localhost", address).Replace(f.blocks[0])
	if out, err := f.shell(script).Output(); err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	out, err := f.join("--address https://localhost:"+portOf(f.site), "--dry-run --address https://"+address, "https/localhost.pem", "https/"+address+".pem", "https/localhost.key", "https/"+address+".key")
	if err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	line := "node_networks: [" + address + "/32]"
	if err := contains(out, "it resolves outside node_networks\n"+line+"\nwould write Caddyfile\nrequire dispatch GET,POST /pools /pools/*\nwould write credentials/dispatch_token"); err != nil {
		f.t.Error(err)
	}
	if _, err := os.Stat(f.node); err == nil {
		f.t.Errorf("%s was written", f.node)
	}
	yaml := filepath.Join(f.dir, "orchestratord.yaml")
	if err := os.WriteFile(yaml, []byte(line+"\nstate_dir: "+f.dir+"\nnode_ca: "+filepath.Join(f.dir, "https", "ca.pem")+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if out, err := f.shell("orchestratord --check --config " + yaml).CombinedOutput(); err != nil {
		f.t.Errorf("%v: %s", err, out)
	}
}

// files are the node's, but for what its programs make.
func (f *joinedFleet) files() []string {
	f.t.Helper()
	var files []string
	for _, pattern := range []string{"*", "credentials/*"} {
		found, err := filepath.Glob(filepath.Join(f.node, pattern))
		if err != nil {
			f.t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func (f *joinedFleet) hasPrivateFiles() {
	f.t.Helper()
	files := f.files()
	if len(files) != 10 { // with the folder
		f.t.Errorf("got %q", files)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			f.t.Errorf("%s: %v, %v, want it closed to others", file, info.Mode(), err)
		}
	}
}

// state is what the files hold, and when they were written.
func (f *joinedFleet) state() string {
	var all strings.Builder
	for _, file := range f.files() {
		content, _ := os.ReadFile(file)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(&all, "%s %s %x\n", file, info.ModTime(), content)
		}
	}
	return all.String()
}

// startAsPrinted runs the two lines that the command has printed.
func (f *joinedFleet) startAsPrinted(output string) {
	f.t.Helper()
	started := 0
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); strings.Contains(line, "llorch run ") || strings.Contains(line, "poolmanagerd --config ") {
			gatewaytest.StartCommand(f.t, f.shell("exec env "+line))
			started++
		}
	}
	if started != 2 {
		f.t.Fatalf("%d lines to start, want 2 in\n%s", started, output)
	}
}

// runsATask has the orchestrator send a task to the node.
func (f *joinedFleet) runsATask() {
	f.t.Helper()
	client := gatewaytest.Client{Base: "http://" + f.orchestrator}.As(f.token)
	testkit.Within(f.t, 60*time.Second, "an answer of the node's engine", func() error {
		answer, err := client.Do("POST", "/v1/chat/completions", `{"model":"demo","max_tokens":4,"messages":[{"role":"user","content":"hello"}]}`, "Content-Type: application/json")
		if err == nil && answer.Status != 200 {
			err = fmt.Errorf("got %d %s", answer.Status, answer.Body)
		}
		return err
	})
}

// keepsWhatIsThere: a file that does not fit is named, and none is changed.
func (f *joinedFleet) keepsWhatIsThere() {
	f.t.Helper()
	file := filepath.Join(f.node, "poolmanagerd.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		f.t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, to string
		fits     bool
	}{
		"engines of one's own": {"preload:", "memory_bytes: 1000000000\npreload:", true},
		"another name":         {"node_id: '", "node_id: 'x", false},
	} {
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600); err != nil {
			f.t.Fatal(err)
		}
		before := f.state()
		out, err := f.join()
		if (err == nil) != c.fits || !c.fits && !strings.Contains(out, file+" is there and is not changed") || f.state() != before {
			f.t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
