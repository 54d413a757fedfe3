package caddymodule

import (
	"strings"
	"testing"
)

// Members of the families do not reach an upstream, on any version of HTTP, on a
// public route and on one with a token; what the operator names does.
func TestHeaderFamiliesTowardsTheUpstream(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, true, twoTokens, `
	authmin {
		public /health
		require infer /v1/*
		allow_headers X-Real-IP X-User-Agent
	}
	reverse_proxy `+up.address())
	forged := []string{
		"X-User-Id", "X-User-Role", "X-Auth-Token", "X-Auth-Anything", "X-Remote-Name", "Remote-Groups", "Impersonate-Extra-Scopes", "X-Impersonate-User",
		"X-Forwarded-Anything", "X-Forwarded-Port", "Forwarded", "Fastly-Client-IP", "X-Client-IP", "True-Client-IP", "X-Webauth-Role", "X-Tenant-Id",
		"X-Original-Path", "X-Http-Method", "X-Vendor-Authenticated-Groups",
	}
	kept := []string{"X-Real-Ip", "X-User-Agent", "X-Stainless-Lang", "X-Client-Version", "X-Title"}
	for version, client := range clients(t) {
		for _, path := range []string{"/health", "/v1/x"} {
			fields := []string{asUser}
			for _, name := range append(forged, kept...) {
				fields = append(fields, name+": forged")
			}
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				fields = append(fields, name+": forged")
			}
			if answer, body := g.ask(t, client, "GET", path, fields...); answer.StatusCode != 200 {
				t.Fatalf("%s: %d %s", version, answer.StatusCode, body)
			}
			got := up.last().Header
			for name, values := range got {
				if strings.Contains(strings.Join(values, " "), "forged") && !strings.Contains(strings.Join(kept, " "), name) {
					t.Errorf("%s %s: the upstream got %s", version, path, name)
				}
			}
			for _, name := range kept {
				if got.Get(name) != "forged" {
					t.Errorf("%s %s: the upstream got no %s", version, path, name)
				}
			}
		}
	}
}

// What a proxy says that trusted_proxies names goes on.
func TestATrustedProxysFieldsGoOn(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, behindProxy("\t\ttrusted_proxies_strict\n", "off"), "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address())
	statusOf(t, g, "/v1/x", asUser, "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Host: shop.example.com", "X-Forwarded-Proto: https", "X-Forwarded-User: boss")
	got := up.last().Header
	for name, want := range map[string]string{"X-Forwarded-For": "203.0.113.7, 127.0.0.1", "X-Forwarded-Host": "shop.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-User": ""} {
		if got.Get(name) != want {
			t.Errorf("%s: the upstream got %q, want %q", name, got.Get(name), want)
		}
	}
}
