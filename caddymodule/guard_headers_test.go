package caddymodule

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

const bypassOn = "\tauthmin {\n\t\toptional true\n\t}\n"

// The limit that the README tells of: Caddy drops these names before the guard runs.
// The ordinary spellings end the bypass. If a version of Caddy keeps the others, this
// test fails, and the limit is gone.
func TestTheBypassDoesNotSeeNamesThatCaddyDrops(t *testing.T) {
	g := serve(t, false, bypassOn, "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	for field, want := range map[string]int{
		"X-Forwarded-For": 401, "x-forwarded-for": 401, "Forwarded": 401, "X-Real-Ip": 401, "XForwardedFor": 401,
		"x_forwarded_for": 200, "x.forwarded.for": 200, "X_Real_IP": 200,
	} {
		if got := statusOf(t, g, "/v1/x", field+": 203.0.113.7"); got != want {
			t.Errorf("%s: got %d, want %d", field, got, want)
		}
	}
}

// TestTheBypassEndsBehindAListenerWrapper: a wrapper such as proxy_protocol puts an address
// that the client sent in place of the socket's peer.
func TestTheBypassEndsBehindAListenerWrapper(t *testing.T) {
	const site = "authmin {\n\trequire infer /v1/*\n}\nrespond ok"
	const wrapper = "\tservers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol {\n\t\t\t\tallow 127.0.0.0/8\n\t\t\t}\n\t\t}\n\t}\n"
	for globals, want := range map[string]int{bypassOn: 200, wrapper + bypassOn: 401} {
		g := serve(t, false, globals, site)
		if got := statusOf(t, g, "/v1/x"); got != want {
			t.Errorf("%q: got %d, want %d", globals, got, want)
		}
		if want == 200 {
			continue
		}
		conn := g.dial(t, "PROXY TCP4 127.0.0.1 127.0.0.1 1234 80\r\nGET /v1/x HTTP/1.1\r\nHost: "+g.address+"\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("with a claimed peer: got %d, want %d", answer.StatusCode, want)
		}
	}
}

// A server that keeps such names shows them, and they end the bypass.
func TestNamesThatTheServerKeepsEndTheBypass(t *testing.T) {
	keep := "\tservers {\n\t\texpected_underscore_headers my_forwarded_note\n\t\texpected_dot_headers my.client.ip.note\n\t}\n"
	err := validate(t, options(silent, keep, bypassOn)+"http://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin\n\trespond ok\n}\n")
	expectRefused(t, err, "optional", "Caddy drops My-Forwarded-Note")
	g := serve(t, false, strings.Replace(keep, "\t\texpected_underscore_headers my_forwarded_note\n\t\texpected_dot_headers my.client.ip.note\n", "\t\texpected_underscore_headers my_note\n", 1)+bypassOn,
		"authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	if got := statusOf(t, g, "/v1/x", "my_note: x"); got != 200 {
		t.Errorf("an ordinary name: got %d, want 200", got)
	}
}

// An allowlist of Caddy's that hides the ordinary spelling would widen the bypass.
func TestKeptNamesThatHideAForwardingHeaderAreRefused(t *testing.T) {
	for _, c := range []struct {
		option  string
		refused bool
	}{
		{"expected_underscore_headers x_forwarded_for", true},
		{"expected_underscore_headers X_Real_IP", true},
		{"expected_underscore_headers x_forwarded_*", true},
		{"expected_underscore_headers x_*", true},
		{"expected_underscore_headers cf_*", true},
		{"expected_underscore_headers fine webhook_id x_client_ip", true},
		{"expected_dot_headers x.forwarded.for", true},
		{"expected_dot_headers x.forwarded*", true},
		{"expected_underscore_headers webhook_*", false},
		{"expected_underscore_headers user_note", false},
		{"expected_dot_headers trace.id", false},
	} {
		option := strings.Replace(c.option, "fine ", "", 1)
		site := "http://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin\n\trespond ok\n}\n"
		servers := "\tservers {\n\t\t" + option + "\n\t}\n"
		err := validate(t, options(silent, servers, bypassOn)+site)
		if (err != nil) != c.refused {
			t.Errorf("%s: got %v, want a refusal: %v", option, err, c.refused)
		}
		if err := validate(t, options(silent, servers, twoTokens)+site); err != nil {
			t.Errorf("%s, without the bypass: %v", option, err)
		}
	}
}
