package caddymodule

import (
	"bufio"
	"crypto/rand"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

const scraped = "\n\thandle /metrics {\n\t\tmetrics\n\t}\n\trespond ok"

// scrape reads the module's series, by name and labels.
func (g *gateway) scrape(t *testing.T) map[string]string {
	t.Helper()
	_, body := g.ask(t, plainClient(), "GET", "/metrics")
	series := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "caddy_authmin_") {
			series[name] = value
		}
	}
	return series
}

// Every series that an alert can need is there before anything has happened.
func TestSeriesAreThereFromTheStart(t *testing.T) {
	name := strings.ToLower(rand.Text()) // counters outlive a test
	g := serve(t, false, twoTokens, "authmin "+name+" {\n\tpublic /metrics\n}"+scraped)
	got := g.scrape(t)
	want := map[string]string{
		`caddy_authmin_decisions_total{decision="allowed",guard="` + name + `"}`: "0",
		`caddy_authmin_decisions_total{decision="refused",guard="` + name + `"}`: "0",
		`caddy_authmin_tokens{state="active"}`:                                   "2",
		`caddy_authmin_tokens{state="expired"}`:                                  "0",
		`caddy_authmin_tokens{state="revoked"}`:                                  "0",
		`caddy_authmin_tokens{state="not_yet"}`:                                  "0",
		`caddy_authmin_next_token_expiry_timestamp_seconds`:                      "0",
	}
	for _, reason := range append(authmin.Reasons(), reasonAudit) {
		want[`caddy_authmin_failures_total{guard="`+name+`",reason="`+string(reason)+`"}`] = "0"
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: got %q, want %q", name, got[name], value)
		}
	}
	if _, ok := got[`caddy_authmin_token_source_errors_total{source="token_file"}`]; !ok {
		t.Error("no source errors")
	}
}

// A reload brings a registry of its own; the counters go on.
func TestCountersSurviveAReload(t *testing.T) {
	name := strings.ToLower(rand.Text())
	refused := `caddy_authmin_failures_total{guard="` + name + `",reason="missing"}`
	policy := "authmin " + name + " {\n\tpublic /metrics\n\trequire infer /v1/*\n}" + scraped
	g := serve(t, false, twoTokens, policy)
	ask := func() { g.ask(t, plainClient(), "GET", "/v1/x") }
	ask()
	ask()
	if got := g.scrape(t)[refused]; got != "2" {
		t.Fatalf("got %s, want 2", got)
	}
	g.load(t, twoTokens, policy+"\n\theader X-Other y")
	ask()
	if got := g.scrape(t)[refused]; got != "3" {
		t.Errorf("got %s, want 3", got)
	}
	if err := g.tryLoad(t, "\tauthmin {\n\t\ttoken a {env.NOT_SET_AT_ALL} infer\n\t}\n", policy); err == nil {
		t.Fatal("a bad configuration was loaded")
	}
	ask()
	if got := g.scrape(t)[refused]; got != "4" {
		t.Errorf("after a refused reload: got %s, want 4", got)
	}
}

// A configuration that is refused does not show its tokens as the ones in use.
func TestRefusedReloadLeavesTheGauges(t *testing.T) {
	policy := "authmin lasting {\n\tpublic /metrics\n}" + scraped
	g := serve(t, false, twoTokens, policy)
	if err := g.tryLoad(t, "\tauthmin {\n\t\ttoken a {env.TEST_INFER} infer\n\t}\n", policy+"\n\thandle {\n\t\tauthmin inner\n\t}"); err == nil {
		t.Fatal("a bad configuration was loaded")
	}
	if got := g.scrape(t)[`caddy_authmin_tokens{state="active"}`]; got != "2" {
		t.Errorf("active tokens: got %s, want 2", got)
	}
}

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// Nothing that a client sends becomes a label: their values are from sets that
// are known beforehand.
func TestLabelsAreClosedSets(t *testing.T) {
	g := serve(t, false, twoTokens, "authmin labels {\n\tpublic /metrics\n\trequire infer /v1/*\n}"+scraped)
	before := g.scrape(t)
	for _, path := range []string{"/v1/x", "/v1/y", "/odd\"}", "/v1//", "/elsewhere"} {
		for _, credential := range []string{asUser, asBoss, "Authorization: Bearer nobody", "Authorization: Basic x", "X-None: x"} {
			g.ask(t, plainClient(), "GET", path, credential, "User-Agent: odd\"", "Host: odd.example")
		}
	}
	after := g.scrape(t)
	if extra := slices.DeleteFunc(slices.Collect(maps.Keys(after)), func(name string) bool { _, ok := before[name]; return ok }); len(extra) > 0 {
		t.Errorf("requests made new series: %q", extra)
	}
	for name := range after {
		for _, pair := range label.FindAllStringSubmatch(name, -1) {
			if !regexp.MustCompile(`^([a-z0-9_]{1,64}|[0-9.e+-]+|\+Inf)$`).MatchString(pair[2]) {
				t.Errorf("%s: label %s is %q", name, pair[1], pair[2])
			}
		}
	}
}

// What could not be put on record was refused, whatever had been decided.
func TestARequestWithoutARecordCountsAsRefused(t *testing.T) {
	name := strings.ToLower(rand.Text())
	path := filepath.Join(t.TempDir(), "audit")
	g := serve(t, false, auditing("audit file "+path+" {\nrequired\n}"), "authmin "+name+" {\n\tpublic /metrics\n\trequire infer /v1/*\n}"+scraped)
	if got := statusOf(t, g, "/v1/x", asUser); got != 200 {
		t.Fatalf("got %d", got)
	}
	spoil(t, path)
	for _, fields := range [][]string{{asUser}, nil} {
		if got := statusOf(t, g, "/v1/x", fields...); got != 503 {
			t.Fatalf("got %d, want 503", got)
		}
	}
	got := g.scrape(t)
	for series, want := range map[string]string{
		`decisions_total{decision="allowed",guard="` + name + `"}`: "1",
		`decisions_total{decision="refused",guard="` + name + `"}`: "2",
		`failures_total{guard="` + name + `",reason="audit"}`:      "2",
		`failures_total{guard="` + name + `",reason="missing"}`:    "0",
	} {
		if got["caddy_authmin_"+series] != want {
			t.Errorf("%s: got %q, want %q", series, got["caddy_authmin_"+series], want)
		}
	}
	mend(t, path)
}
