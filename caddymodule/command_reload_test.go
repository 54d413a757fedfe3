package caddymodule

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

// A client that is locked out, because it was too early with its new token or for
// any other reason, is let in with the token as soon as the command that made it
// has returned.
func TestAFreshTokenIsLetInFromALockedOutAddress(t *testing.T) {
	ring := newKeyring(t, keyringLine("other", tokenUpstream, "infer"))
	socket := filepath.Join(t.TempDir(), "admin.sock")
	g := &gateway{}
	g.serveAdmin(t, "unix/"+socket+"|0600", ring, "")
	t.Cleanup(forgetLockouts(t))
	for range 3 {
		g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer "+tokenInfer)
	}
	if answer, body := g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer "+tokenInfer); answer.StatusCode != 429 || !strings.Contains(body, "A valid token is let in at any time") {
		t.Fatalf("before: got %d %s", answer.StatusCode, body)
	}
	writeKeyring(t, ring.path, keyringLine("other", tokenUpstream, "infer"), keyringLine("ci", tokenInfer, "infer"))
	k, said := keyringFlags{admin: "unix/" + socket}, new(strings.Builder)
	told, err := k.ask(said, socket, "unix/"+socket, ring.path, "ci", nil)
	if !told || err != nil || !strings.Contains(said.String(), "has the change") {
		t.Fatalf("confirmation without an option: got %v, %v, %s", told, err, said)
	}
	if answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer "+tokenInfer); answer.StatusCode != 200 {
		t.Errorf("after the confirmation: got %d, want 200", answer.StatusCode)
	}
}
