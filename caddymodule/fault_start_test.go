package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a start does not refuse and an operator should know is in the log: proxies that
// no guard covers, and tokens that other users can read.
func TestAStartWarnsOfUnguardedHandlers(t *testing.T) {
	readable := filepath.Join(t.TempDir(), "token")
	writeFile(t, readable, tokenInfer, 0o644)
	if InPrivateTree(readable) {
		for dir := filepath.Dir(readable); dir != filepath.Dir(dir) && dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	g := serve(t, false, "\tauthmin {\n\t\ttoken a {file."+readable+"} infer\n\t}\n", `
	handle /v1/* {
		authmin {
			require infer /v1/*
		}
		reverse_proxy 127.0.0.1:8081
	}
	handle {
		reverse_proxy 127.0.0.1:8082
	}
	handle_errors {
		reverse_proxy 127.0.0.1:8083
	}`)
	log := readFile(t, g.log)
	for _, want := range []string{`"upstreams":["127.0.0.1:8082"]`, `"upstreams":["127.0.0.1:8083"]`, "no authmin guard covers this reverse_proxy", "every user of this machine can read the token in " + readable} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, `"upstreams":["127.0.0.1:8081"]`) {
		t.Error("the log warns of the guarded proxy")
	}
	expectNoToken(t, log)
}
