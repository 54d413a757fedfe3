package presets_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var (
	snippet = regexp.MustCompile(`(?m)^\((authmin-[a-z-]+)\) \{$`)
	shown   = regexp.MustCompile(`(?m)^#\timport deploy/presets/([a-z]+)\.caddyfile$`)
)

// snippetsOf are the names of a preset file's snippets.
func snippetsOf(t *testing.T, preset string) []string {
	t.Helper()
	var names []string
	for _, match := range snippet.FindAllStringSubmatch(read(t, inRoot(t, "deploy/presets/"+preset+".caddyfile")), -1) {
		names = append(names, match[1])
	}
	if len(names) == 0 {
		t.Fatalf("%s.caddyfile has no snippet", preset)
	}
	return names
}

// TestForm: a preset is formatted, says how it is imported, is tried in a
// running gateway, holds exactly one guard, and leaves long streams alone when
// the configuration is read again.
func TestForm(t *testing.T) {
	tried := map[string]bool{}
	for _, trial := range trials {
		tried[trial.snippet] = true
	}
	for _, name := range presetNames(t) {
		text := read(t, inRoot(t, "deploy/presets/"+name+".caddyfile"))
		if formatted := string(caddyfile.Format([]byte(text))); formatted != text {
			t.Errorf("%s.caddyfile is not formatted", name)
		}
		if match := shown.FindStringSubmatch(text); match == nil || match[1] != name {
			t.Errorf("%s.caddyfile does not show its import", name)
		}
		for _, snippet := range snippetsOf(t, name) {
			if !tried[snippet] {
				t.Errorf("%s of %s.caddyfile is tried nowhere", snippet, name)
			}
			found, err := adapt(t, site(t, name, snippet, ""))
			if err != nil {
				t.Errorf("%s: %v", snippet, err)
				continue
			}
			if g, err := found.guard(); err != nil || g.Shadow || g.Plaintext || "authmin-"+g.Name != snippet {
				t.Errorf("%s: guard %+v, %v", snippet, g, err)
			}
			if snippet != "authmin-exporter" && snippet != "authmin-gateway-metrics" {
				expectCloseDelay(t, snippet, found["reverse_proxy"])
			}
		}
	}
}

func expectCloseDelay(t *testing.T, snippet string, proxies []json.RawMessage) {
	t.Helper()
	if len(proxies) != 1 {
		t.Errorf("%s: %d proxies, want 1", snippet, len(proxies))
		return
	}
	if !strings.Contains(string(proxies[0]), `"stream_close_delay":3600000000000`) {
		t.Errorf("%s: no stream_close_delay of 1h in %s", snippet, proxies[0])
	}
}

// TestMissingCredentialIsRefused: an import that forgets where the gateway's
// credential comes from does not run without one.
func TestMissingCredentialIsRefused(t *testing.T) {
	for _, name := range []string{"orchestrator", "poolmanager"} {
		text := strings.ReplaceAll(site(t, name, "authmin-"+name, ""), " "+upstreamSource, "")
		if _, err := adapt(t, text); err == nil || !strings.Contains(err.Error(), "upstream_token") {
			t.Errorf("%s: got %v, want a refusal that names upstream_token", name, err)
		}
	}
}

// TestReadme: the README of deploy/ has every preset and every unit, and its
// Caddyfiles adapt.
func TestReadme(t *testing.T) {
	text := read(t, inRoot(t, "deploy/README.md"))
	for _, name := range presetNames(t) {
		for _, snippet := range snippetsOf(t, name) {
			if !strings.Contains(text, "| `"+snippet+" ") && !strings.Contains(text, "| `"+snippet+"`") {
				t.Errorf("no row for %s", snippet)
			}
		}
	}
	for name := range units {
		if !strings.Contains(text, "| `"+name+".service` |") {
			t.Errorf("no row for %s.service", name)
		}
	}
	blocks := regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$").FindAllStringSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Error("no Caddyfile")
	}
	for _, block := range blocks {
		rooted := strings.ReplaceAll(block[1], "import deploy/", "import "+inRoot(t, "deploy")+"/")
		if _, err := adapt(t, rooted); err != nil {
			t.Errorf("%v:\n%s", err, block[1])
		}
	}
}
