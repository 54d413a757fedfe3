package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAReloadNamesTheSecretsThatNeedARestart(t *testing.T) {
	config := filepath.Join(t.TempDir(), "Caddyfile")
	writeFile(t, config, `{
	authmin {
		token ci {file./etc/llorch/ci} infer
		token boss {env.BOSS} admin
		token node {file./run/credentials/llorch-gateway.service/node} nodes
	}
}
http://127.0.0.1:8080 {
	authmin edge {
		require infer /v1/*
		upstream_token credential:upstream
	}
	reverse_proxy 127.0.0.1:8081
}
`, 0o600)
	notes := ReloadNotes(config)
	for i, want := range []string{"token boss: the environment variable BOSS", "token node: the credential", "upstream_token of guard edge: the credential upstream"} {
		if i >= len(notes) || !strings.HasPrefix(notes[i], want) || !strings.Contains(notes[i], "restart") {
			t.Errorf("got %q, want number %d to begin with %q", notes, i, want)
		}
	}
	if len(notes) != 3 {
		t.Errorf("got %d notes, want 3", len(notes))
	}
	if notes := ReloadNotes(config + ".absent"); notes != nil {
		t.Errorf("without a configuration: got %q", notes)
	}
}
