package integration_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// A start that fails says why on stderr, wherever its log goes.
func TestAFailedStartSaysWhyOnStderr(t *testing.T) {
	dir := t.TempDir()
	const guarded = "\tbind 127.0.0.1\n\tauthmin edge {\n\t\trequire infer /*\n\t}\n\treverse_proxy 127.0.0.1:1\n"
	for name, c := range map[string]struct{ command, text, want string }{
		"a certificate is missing":  {"run", "https://127.0.0.1:0 {\n" + guarded + "\ttls /nowhere/cert /nowhere/key\n}\n", "/nowhere/cert"},
		"a refused configuration":   {"run", "http://127.0.0.1:0 {\n" + guarded + "\theader X-Seen {header.Authorization}\n}\n", "copies {header.Authorization}"},
		"an exposed guard":          {"run", "http://:0 {\n\tauthmin\n}\n", "NON_LOOPBACK_WITHOUT_TOKEN"},
		"validate":                  {"validate", "http://127.0.0.1:0 {\n" + guarded + "\theader X-Seen {header.Authorization}\n}\n", "copies {header.Authorization}"},
		"a mistake, with a hint":    {"run", "http://127.0.0.1:0 {\n\tauthmn\n}\n", "did you mean authmin?"},
		"a proxy without any guard": {"validate", "https://127.0.0.1:0 {\n\treverse_proxy 127.0.0.1:1\n\ttls /nowhere/cert /nowhere/key\n}\n", "no authmin guard covers this reverse_proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			text := "{\n\tadmin off\n\tlog {\n\t\toutput file " + file + ".log\n\t\tformat authmin\n\t}\n}\n" + c.text
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := gatewaytest.Command(t, nil, c.command, "--config", file, "--adapter", "caddyfile")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("got %v, want exit status 1", err)
			}
			if !strings.Contains(stderr.String(), c.want) {
				t.Errorf("stderr does not say %q:\n%s", c.want, stderr.String())
			}
		})
	}
}
