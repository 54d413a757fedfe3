package authmin

import (
	"net/http"
	"strings"
	"testing"
)

func TestIsHost(t *testing.T) {
	cases := map[string]bool{
		"example.com": true, "example.com:80": true, "localhost": true, "127.0.0.1:8080": true, "[::1]": true, "[::1]:80": true,
		"[2001:db8::1]:65535": true, "xn--bcher-kva.example": true, "a_b.example": true, "example.com.": true, "EXAMPLE.com": true,
		strings.Repeat("a", 253) + ":65535": true,
		"":                                  false, ":": false, ":80": false, "[]": false, "[]:80": false, "example.com:": false, "example.com:x": false,
		"example.com:80:90": false, "example.com:-1": false, "example.com:+80": false, "example.com:65536": false, "example.com:999999": false,
		"::1": false, "::1]": false, "[::1": false, "[::1]x": false, "[x]": false, "[127.0.0.1]": false, "[127.0.0.1]:80": false,
		"[localhost]:80": false, "[[::1]]": false, "[::1%25lo]": false, "a]": false, "a[b": false, "[::1]:": false,
		"u@example.com": false, "u:p@example.com": false, "example.com/x": false, "example.com?x": false, "example.com#x": false,
		`example.com\x`: false, `a"b.example`: false, "a'b": false, "a<b": false, "{env.X}": false, "a|b": false, "a^b": false, "a`b": false,
		"a%41": false, "a b": false, "a\tb": false, "a,b": false, "a\x00": false, "a\x7f": false, "bücher.example": false, "a\xff": false,
		strings.Repeat("a", 300): false,
	}
	for host, want := range cases {
		if got := IsHost(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestUpgradesToAnotherHTTPAreSeen(t *testing.T) {
	for _, line := range []string{"h2c", "H2C", " h2c ", "websocket, h2c", "h2c/1", "HTTP/2.0", "http/3", "TLS/1.0", "websocket,\tTLS/1.2", "h2", "h3", "h2c-14", "h2-14", `"h2c"`, "HTTP", "tls"} {
		if !wantsH2C(http.Header{"Upgrade": {line}}) || !wantsH2C(http.Header{"Upgrade": {"websocket", line}}) {
			t.Errorf("%q is not seen", line)
		}
	}
	for _, line := range []string{"", "websocket", "WebSocket", "h2cx", "https-tunnel", "tlsx"} {
		if wantsH2C(http.Header{"Upgrade": {line}}) {
			t.Errorf("%q counts as HTTP", line)
		}
	}
}

// The names of this machine are exact even without the check for a valid Host.
func TestLocalHostIsExact(t *testing.T) {
	l := Listener{Loopback: true, Port: "80"}
	for _, host := range []string{"[127.0.0.1]:80", "[localhost]:80", "::1", "::1]:80", "localhost:8080", "localhost:", "127.0.0.2", "", ":80", "[]:80"} {
		if isLocalHost(l, host) {
			t.Errorf("%q counts as local", host)
		}
	}
	for _, host := range []string{"127.0.0.1:80", "localhost", "LocalHost:80", "[::1]", "[::1]:80"} {
		if !isLocalHost(l, host) {
			t.Errorf("%q does not count as local", host)
		}
	}
}

func FuzzHost(f *testing.F) {
	f.Add("127.0.0.1:8080")
	f.Add("[::1]:8080")
	f.Add("localhost")
	f.Fuzz(func(t *testing.T, host string) {
		l := Listener{Loopback: true, Port: "8080"}
		if !IsHost(host) || !isLocalHost(l, host) {
			return
		}
		switch strings.ToLower(host) {
		case "localhost:8080", "127.0.0.1:8080", "[::1]:8080":
		default:
			t.Errorf("%q counts as local", host)
		}
	})
}
