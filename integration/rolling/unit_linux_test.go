//go:build rolling

package rolling_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// unit is what systemd does with a service, from the file that is shipped.
type unit struct {
	env       []string      // Environment, but for paths that are systemd's own
	check     []string      // the arguments of ExecStartPre after the configuration
	stopLimit time.Duration // TimeoutStopSec: from SIGTERM to SIGKILL
}

// readUnit reads deploy/systemd/orchestratord.service.
func readUnit(t *testing.T) (u unit) {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "systemd", "orchestratord.service"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case name == "Environment" && !strings.Contains(value, "%"):
			u.env = append(u.env, value)
		case name == "ExecStartPre":
			_, after, _ := strings.Cut(value, ".yaml ")
			u.check = strings.Fields(after)
		case name == "TimeoutStopSec":
			if u.stopLimit, err = time.ParseDuration(value); err != nil {
				t.Fatal(err)
			}
		case name == "KillSignal" || name == "ExecStop":
			t.Fatalf("%s is not what this test does: SIGTERM", line)
		}
	}
	if len(u.env) == 0 || len(u.check) == 0 || u.stopLimit == 0 {
		t.Fatalf("the unit has no environment, ExecStartPre or TimeoutStopSec: %+v", u)
	}
	return u
}
