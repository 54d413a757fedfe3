package main

import (
	"os"
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
