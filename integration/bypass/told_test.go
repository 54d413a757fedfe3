package bypass_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// What the bypass cannot detect is documented in each place where it can be turned
// on.
func TestTheBypassDocumentsItsLimit(t *testing.T) {
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(root, "deploy", "docs", "gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), "What the loopback bypass cannot detect")
	section, _, _ = strings.Cut(section, "\n\n")
	wantWords(t, "gateway.md", section, "AUTH_OPTIONAL", "tunnel", "ssh -R", "socat", "nginx", "proxy_pass", "adds no header")

	g := startGateway(t)
	// Caddy serves, and answers, before the app's Start has written its warning.
	testkit.Eventually(t, "the warning", func() bool { return strings.Contains(g.Output(), "need no token") })
	wantWords(t, "the start", g.Output(), "need no token", "AUTH_OPTIONAL", "tunnel", "forwarding header", "counts as this machine")

	doctor := gatewaytest.Command(t, []string{"AUTH_OPTIONAL=true"}, "authmin", "doctor", "--proc", t.TempDir())
	out, _ := doctor.CombinedOutput() // its exit status is about the machine
	wantWords(t, "doctor", string(out), "need no token", "AUTH_OPTIONAL", "tunnel", "ssh -R", "socat", "nginx")

	off := gatewaytest.Command(t, []string{"AUTH_OPTIONAL=false"}, "authmin", "doctor", "--proc", t.TempDir())
	if out, _ := off.CombinedOutput(); strings.Contains(string(out), "need no token") {
		t.Errorf("doctor warns of a bypass that is off:\n%s", out)
	}
}

// doctor knows the programs themselves when they run.
func TestDoctorKnowsTunnelsThatSayNothing(t *testing.T) {
	cases := map[string]struct{ comm, arguments, want string }{
		"socat":  {"socat", "socat\x00TCP-LISTEN:80,fork\x00TCP:127.0.0.1:8080\x00", "socat"},
		"ssh -R": {"ssh", "ssh\x00-fNR\x0080:localhost:8080\x00host\x00", "ssh -R"},
		"frp":    {"frpc", "frpc\x00", "frp"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			if err := os.Mkdir(filepath.Join(proc, "7"), 0o700); err != nil {
				t.Fatal(err)
			}
			for file, content := range map[string]string{"comm": c.comm + "\n", "cmdline": c.arguments} {
				if err := os.WriteFile(filepath.Join(proc, "7", file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := gatewaytest.Command(t, []string{"AUTH_OPTIONAL=true"}, "authmin", "doctor", "--proc", proc).CombinedOutput()
			if err == nil {
				t.Errorf("doctor finds nothing wrong with a tunnel beside the bypass:\n%s", out)
			}
			wantWords(t, "doctor", string(out), c.want+" (process 7)", "may count as this machine")
		})
	}
}

func wantWords(t *testing.T, where, text string, words ...string) {
	t.Helper()
	text = strings.Join(strings.Fields(text), " ")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s does not say %q:\n%s", where, word, text)
		}
	}
}
