package authmin

import (
	"strings"
	"testing"
)

func TestClientTextShowsNothingAsLongAsAToken(t *testing.T) {
	const token = "Zq3_9f8e7d6c5b4a39281706f5e4d3c2b1a0-x"
	for _, c := range []struct{ what, in, want string }{
		{"an ordinary agent", "curl/8.5.0", "curl/8.5.0"},
		{"a browser", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
		{"a host", "gateway.example.com:8443", "gateway.example.com:8443"},
		{"a token as host", token + ":80", "[redacted]:80"},
		{"a token as label", token + ".example.com", "[redacted]"},
		{"a token in an agent", "agent (" + token + ")", "agent ([redacted])"},
		{"a token of base64", "x QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo/+A== y", "x [redacted] y"},
		{"31 characters", strings.Repeat("a", MinTokenLength-1), strings.Repeat("a", MinTokenLength-1)},
	} {
		if got := CleanField(c.in, 256); got != c.want {
			t.Errorf("%s: CleanField(%q) = %q, want %q", c.what, c.in, got, c.want)
		}
	}
}

func TestPathsKeepIdsAndHideTokens(t *testing.T) {
	const token = "5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99"
	for _, c := range []struct{ what, in, want string }{
		{"a task", "/v2/tasks/01a200ae-e6e6-72f6-b337-539a1b2aa701/events", "/v2/tasks/01a200ae-e6e6-72f6-b337-539a1b2aa701/events"},
		{"many short segments", "/v1/models/meta-llama/Llama-3.1-8B-Instruct", "/v1/models/meta-llama/Llama-3.1-8B-Instruct"},
		{"a token as segment", "/v1/" + token + "/x", "/v1/[redacted]/x"},
		{"not quite a UUID", "/v1/01a200ae-e6e6-72f6-b337-539a1b2aa70g", "/v1/[redacted]"},
		{"user information", "http://" + token + "@host/v1", "[redacted]"},
		{"nothing", "", ""},
	} {
		if got := CleanPath(c.in, 1024); got != c.want {
			t.Errorf("%s: CleanPath(%q) = %q, want %q", c.what, c.in, got, c.want)
		}
	}
}
