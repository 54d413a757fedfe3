package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTheNodesPolicyIsThePreset: a node that joins has the rules that a node set up by
// hand has.
func TestTheNodesPolicyIsThePreset(t *testing.T) {
	preset, err := os.ReadFile("../../../deploy/presets/poolmanager.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	j := &joining{joinOptions: joinOptions{address: "https://gpu1.internal", dir: "/etc/llorch", listen: "127.0.0.1:9200"}}
	want, got := rules(string(preset)), rules(j.caddyfile())
	if len(want) < 4 || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// rules are the lines of a Caddyfile that decide.
func rules(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 0 && slices.Contains([]string{"public", "require", "deny"}, fields[0]) {
			found = append(found, strings.Join(fields, " "))
		}
	}
	return found
}

// TestAddressesThatNoPublicAuthorityCertifies need --cert and --key.
func TestAddressesThatNoPublicAuthorityCertifies(t *testing.T) {
	for address, want := range map[string]bool{
		"https://gpu1.example.com": true, "https://GPU1.Example.com:8443": true, "https://gpu1.internal": false, "https://gpu1": false,
		"https://10.0.0.7": false, "https://[fd00::1]:443": false, "https://gpu1.LAN": false, "https://localhost": false,
	} {
		if got := public(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

// TestTheUnitsUsersReachTheirFiles: root makes the directory, and the services run as
// others. Secrets stay in a directory of root.
func TestTheUnitsUsersReachTheirFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "llorch")
	secret := filepath.Join(dir, "credentials", "x")
	j := &joining{joinOptions: joinOptions{dir: dir}, out: io.Discard, files: []*nodeFile{{name: "x", path: secret, owner: rootUser, text: []byte("x")}}}
	if err := j.write(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o755, filepath.Dir(secret): 0o700, secret: 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got&^want != 0 || want == 0o755 && got&0o011 != 0o011 {
			t.Errorf("%s: mode %o, want %o", path, got, want)
		}
	}
}
