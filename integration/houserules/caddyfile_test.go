package houserules_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// caddyVariable names another Caddy to try the example with: the CI run sets
// it to the one that xcaddy has built.
const caddyVariable = "LLORCH_TEST_CADDY"

// TestCaddyfileExample: the example is formatted, adapts with no warning and
// is valid, as it is and with the block for Ollama put in.
func TestCaddyfileExample(t *testing.T) {
	example, err := os.ReadFile(filepath.Join(root(t), "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"as it is":    example,
		"with Ollama": uncomment(t, example, "http://:11435 {"),
	} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "Caddyfile")
			if err := os.WriteFile(config, text, 0o600); err != nil {
				t.Fatal(err)
			}
			adapted, warnings := caddy(t, "adapt", "--adapter", "caddyfile", "--config", config)
			if !strings.Contains(adapted, `"handler":"authmin"`) {
				t.Errorf("nothing is guarded:\n%s", adapted)
			}
			if strings.Contains(strings.ToLower(warnings), "warn") {
				t.Errorf("warnings:\n%s", warnings)
			}
			caddy(t, "validate", "--adapter", "caddyfile", "--config", config)
		})
	}
}

// uncomment takes the # from a commented site, which begins with the given
// line and ends with its brace.
func uncomment(t *testing.T, text []byte, first string) []byte {
	t.Helper()
	block := regexp.MustCompile(`(?m)^#` + regexp.QuoteMeta(first) + `\n(#.*\n)*?#}$`)
	if !block.Match(text) {
		t.Fatalf("no commented block begins with %q", first)
	}
	return block.ReplaceAllFunc(text, func(b []byte) []byte {
		return bytes.ReplaceAll(b[1:], []byte("\n#"), []byte("\n"))
	})
}

// caddy runs a command that must succeed.
func caddy(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	token := "LLORCH_API_TOKEN=" + strings.Repeat("client", 6)
	upstream := "LLORCH_UPSTREAM_TOKEN=" + strings.Repeat("gateway", 6)
	cmd := gatewayCommand(t, []string{token, upstream}, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return out.String(), errs.String()
}

func gatewayCommand(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	other := os.Getenv(caddyVariable)
	if other == "" {
		return gatewaytest.Command(t, env, args...)
	}
	cmd := exec.Command(other, args...)
	home := t.TempDir()
	cmd.Env = append([]string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home}, env...)
	return cmd
}
