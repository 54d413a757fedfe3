package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// quietHost is a machine on which nothing else runs, with an environment of its own.
func quietHost(t *testing.T, environment map[string]string) host {
	t.Helper()
	proc := t.TempDir()
	for _, table := range []string{"tcp", "tcp6"} {
		if err := os.MkdirAll(filepath.Join(proc, "net"), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(proc, "net", table), "  sl  local_address rem_address   st\n", 0o644)
	}
	return host{proc: proc, getenv: func(name string) (string, bool) {
		value, set := environment[name]
		return value, set
	}}
}

// What we ship is clean in the eyes of every command, at its place of work: with its
// variables set and a directory for the admin socket.
func TestWhatWeShipIsCleanUnderCheck(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{
		"LLORCH_ADMIN_SOCKET": filepath.Join(dir, "admin.sock"), "LLORCH_API_TOKEN": tokenInfer,
		"LLORCH_UPSTREAM_TOKEN": tokenUpstream, "VLLM_API_KEY": tokenAdmin, "SGLANG_API_KEY": tokenAdmin, "LLAMA_API_KEY": tokenAdmin,
	}
	for name, value := range environment {
		t.Setenv(name, value)
	}
	whole := map[string]string{"Caddyfile.example": readFile(t, "../../Caddyfile.example")}
	for name, line := range map[string]string{
		"ollama": "authmin-ollama 127.0.0.1:11434", "vllm": "authmin-vllm 127.0.0.1:8000 {\nupstream_token {env.VLLM_API_KEY}\n}",
		"sglang":   "authmin-sglang 127.0.0.1:30000 {\nupstream_token {env.SGLANG_API_KEY}\n}",
		"llamacpp": "authmin-llamacpp 127.0.0.1:8080 {\nupstream_token {env.LLAMA_API_KEY}\n}", "prometheus": "authmin-prometheus 127.0.0.1:9090",
		"orchestrator": "authmin-orchestrator 127.0.0.1:8081 {env.LLORCH_UPSTREAM_TOKEN}", "poolmanager": "authmin-poolmanager 127.0.0.1:9200 {env.LLORCH_UPSTREAM_TOKEN}",
	} {
		preset, err := filepath.Abs("../../deploy/presets/" + name + ".caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		whole[name] = "{\n" + quiet + "}\nimport " + preset + "\nhttp://:8099 {\nbind 127.0.0.1\nimport " + line + "\n}\n"
	}
	for name, text := range whole {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			writeFile(t, file, text, 0o600)
			list, err := check(file, quietHost(t, environment))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				t.Errorf("%s: %s: %s", c.at, levelNames[c.level], c.text)
			}
		})
	}
}

// One list has what each of the three commands knows, with places, the worst first.
func TestCheckSaysWhatTheThreeCommandsKnow(t *testing.T) {
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "Caddyfile"), filepath.Join(dir, "token")
	writeFile(t, secret, "canary-plain-0123456789abcdefghijklmnop", 0o666)
	writeFile(t, file, `{
	admin localhost:2019
	authmin {
		token ci {file.`+secret+`} infer
		token other {env.NOT_SET_HERE} infer
		token_file `+dir+`/none
	}
}
http://127.0.0.1:8080 {
	bind 127.0.0.1
	authmin edge {
		require infer /v1/
	}
	reverse_proxy 127.0.0.1:8081 {
		header_up X-Auth-Identity {query.user}
	}
}
`, 0o600)
	list, err := check(file, quietHost(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	level := levelError
	var text strings.Builder
	for _, c := range list {
		if c.level < level {
			t.Errorf("%s %s after something less bad", levelNames[c.level], c.text)
		}
		level = c.level
		text.WriteString(strings.ReplaceAll(c.at.String(), dir+"/", "") + ": " + levelNames[c.level] + ": " + c.text + "\n")
	}
	for _, want := range []string{
		"Caddyfile:15: error: reverse_proxy writes X-Auth-Identity", // lint, and refused by validate
		"Caddyfile:4: error: token ci: ",                            // doctor
		"Caddyfile:6: error: the keyring: ",                         // doctor
		"Caddyfile:12: warning: guard edge: `/v1/`",                 // lint
		"Caddyfile:2: warning: the admin endpoint is on TCP",        // lint
		"Caddyfile:5: note: token other: NOT_SET_HERE is not set here",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("check does not say %q:\n%s", want, text.String())
		}
	}
	expectNoToken(t, text.String())
}

// What only a start finds out is in the list as well, and no variable stays set.
func TestCheckLoadsTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	writeFile(t, file, "{\n\tadmin off\n\tauthmin {\n\t\ttoken a {env.NOT_SET_HERE} infer\n\t}\n}\nhttps://x:8443 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\trequire infer /*\n\t}\n\ttls /nowhere/cert /nowhere/key\n\treverse_proxy 127.0.0.1:1\n}\n", 0o600)
	list, err := check(file, quietHost(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 || list[0].level != levelError || !strings.Contains(list[0].text, "it does not start: ") {
		t.Errorf("got %v, want what a start says", list)
	}
	if _, set := os.LookupEnv("NOT_SET_HERE"); set {
		t.Error("the variable is still set")
	}
}
