package bypass_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// A sent is what a browser, or a program that imitates one, puts into a request.
// PORT is the listener's port, SELF its origin at 127.0.0.1.
type sent struct {
	host   string // "" is 127.0.0.1:PORT
	header string // lines of `name: value`
	want   int
}

const (
	fine    = http.StatusOK
	foreign = http.StatusForbidden
)

// byBrowsers are the cases that all HTTP versions have in common.
var byBrowsers = map[string]sent{
	// Names that browsers bring to this machine, or make into one that they do.
	"127.0.0.1":                         {"127.0.0.1:PORT", "", fine},
	"localhost":                         {"localhost:PORT", "", fine},
	"upper case":                        {"LocalHost:PORT", "", fine},
	"the IPv6 loopback":                 {"[::1]:PORT", "", fine},
	"a dot behind localhost":            {"localhost.:PORT", "", foreign},
	"two dots behind localhost":         {"localhost..:PORT", "", foreign},
	"a name below localhost":            {"evil.localhost:PORT", "", foreign},
	"localhost.localdomain":             {"localhost.localdomain:PORT", "", foreign},
	"ip6-localhost":                     {"ip6-localhost:PORT", "", foreign},
	"0.0.0.0, which means this machine": {"0.0.0.0:PORT", "", foreign},
	"0, which means 0.0.0.0":            {"0:PORT", "", foreign},
	"[::], which means this machine":    {"[::]:PORT", "", foreign},
	"a mapped loopback":                 {"[::ffff:127.0.0.1]:PORT", "", foreign},
	"a mapped loopback in hexadecimals": {"[::ffff:7f00:1]:PORT", "", foreign},
	"a long IPv6 loopback":              {"[0:0:0:0:0:0:0:1]:PORT", "", foreign},
	"a decimal address":                 {"2130706433:PORT", "", foreign},
	"a hexadecimal address":             {"0x7f000001:PORT", "", foreign},
	"an octal address":                  {"0177.0.0.1:PORT", "", foreign},
	"a short address":                   {"127.1:PORT", "", foreign},
	"another loopback address":          {"127.0.0.2:PORT", "", foreign},
	"a dot behind the address":          {"127.0.0.1.:PORT", "", foreign},
	"a rebound name":                    {"evil.example:PORT", "", foreign},
	"a name that resolves to 127.0.0.1": {"127.0.0.1.nip.io:PORT", "", foreign},
	"another port":                      {"127.0.0.1:1", "", foreign},
	"no port":                           {"127.0.0.1", "", foreign},
	"no port behind localhost":          {"localhost", "", foreign},
	"an empty port":                     {"localhost:", "", http.StatusBadRequest},
	"the port of a proxy in front":      {"localhost:443", "", foreign},

	// What a page of this origin, and what no page, sends.
	"a typed address":                   {"", "Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate\nSec-Fetch-User: ?1\nSec-Fetch-Dest: document", fine},
	"a fetch of its own":                {"", "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\nReferer: SELF/v1/ui", fine},
	"a form of its own":                 {"", "Sec-Fetch-Site: same-origin\nOrigin: SELF\nReferer: SELF/", fine},
	"an own page, without fetch data":   {"", "Referer: SELF/v1/ui?q#f", fine},
	"localhost's own page":              {"localhost:PORT", "Sec-Fetch-Site: same-origin\nOrigin: SCHEME://localhost:PORT", fine},
	"the IPv6 loopback's own page":      {"[::1]:PORT", "Sec-Fetch-Site: same-origin\nOrigin: SCHEME://[::1]:PORT", fine},
	"upper case in Host, lower by page": {"LOCALHOST:PORT", "Origin: SCHEME://localhost:PORT", fine},

	// Pages of others.
	"the same site":                         {"", "Sec-Fetch-Site: same-site", foreign},
	"another site":                          {"", "Sec-Fetch-Site: cross-site", foreign},
	"another site, an image":                {"", "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image", foreign},
	"another site's navigation":             {"", "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-User: ?1\nSec-Fetch-Dest: document", foreign},
	"an empty site":                         {"", "Sec-Fetch-Site:", foreign},
	"a site in upper case":                  {"", "Sec-Fetch-Site: Same-Origin", foreign},
	"two sites in a line":                   {"", "Sec-Fetch-Site: same-origin, cross-site", foreign},
	"two sites in two lines":                {"", "Sec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site", foreign},
	"a site with a parameter":               {"", "Sec-Fetch-Site: none;a=b", foreign},
	"a quoted site":                         {"", `Sec-Fetch-Site: "none"`, foreign},
	"an unknown site":                       {"", "Sec-Fetch-Site: same-party", foreign},
	"a typed address with another Origin":   {"", "Sec-Fetch-Site: none\nOrigin: http://evil.example", foreign},
	"an extension's post":                   {"", "Sec-Fetch-Site: none\nOrigin: chrome-extension://abcdefghijklmnopabcdefghijklmnop", foreign},
	"Origin null":                           {"", "Origin: null", foreign},
	"Origin null with an own site":          {"", "Origin: null\nSec-Fetch-Site: same-origin", foreign},
	"an empty Origin":                       {"", "Origin:", foreign},
	"another Origin":                        {"", "Origin: http://evil.example", foreign},
	"another port's Origin":                 {"", "Origin: http://127.0.0.1:1", foreign},
	"an Origin without the port":            {"", "Origin: SCHEME://127.0.0.1", foreign},
	"this machine's other name":             {"", "Origin: SCHEME://localhost:PORT", foreign},
	"the other scheme":                      {"", "Origin: OTHER://127.0.0.1:PORT", foreign},
	"two Origins":                           {"", "Origin: SELF\nOrigin: http://evil.example", foreign},
	"two Origins in a line":                 {"", "Origin: SELF http://evil.example", foreign},
	"an Origin that goes on":                {"", "Origin: SELF.evil.example", foreign},
	"a rebound page":                        {"evil.example:PORT", "Sec-Fetch-Site: same-origin\nOrigin: SCHEME://evil.example:PORT", foreign},
	"a rebound page, by Referer":            {"evil.example:PORT", "Referer: SCHEME://evil.example:PORT/", foreign},
	"only another Referer":                  {"", "Referer: http://evil.example/", foreign},
	"only another Referer, with SELF in it": {"", "Referer: http://evil.example/SELF/", foreign},
	"only an empty Referer":                 {"", "Referer:", foreign},
	"a Referer with a user":                 {"", "Referer: SCHEME://127.0.0.1:PORT@evil.example/", foreign},
	"a Referer of about:blank":              {"", "Referer: about:blank", foreign},
	"a WebSocket of another site":           {"", "Origin: http://evil.example\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", foreign},
	"a preflight's headers":                 {"", "Origin: http://evil.example\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Private-Network: true", foreign},
	"an address with a user":                {"", "Sec-Fetch-Site: none\nAuthorization: Basic eDp5", http.StatusUnauthorized},
	"a browser behind a proxy":              {"", "Sec-Fetch-Site: none\nVia: 1.1 proxy", http.StatusUnauthorized},
}

// What the browser could send gets in only where it is a local client's.
func TestWhatABrowserCouldSend(t *testing.T) {
	g := startGateway(t)
	unchecked := &tls.Config{InsecureSkipVerify: true} // a certificate that we have just made
	h2 := &http.Transport{TLSClientConfig: unchecked, ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: unchecked.Clone()}
	// Caddy speaks it without being asked to, if the client knows.
	clear := &http.Transport{Protocols: new(http.Protocols)}
	clear.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() { h2.CloseIdleConnections(); clear.CloseIdleConnections(); h3.Close() })
	for name, c := range byBrowsers {
		t.Run(name, func(t *testing.T) {
			check := func(protocol string, res *http.Response, err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %v", protocol, err)
				} else if res.StatusCode != c.want || res.Proto != protocol {
					t.Errorf("%s: got %s %d, want %d", protocol, res.Proto, res.StatusCode, c.want)
				}
			}
			res, err := send("tcp", g.plain, c.over("http", g.port()).raw())
			check("HTTP/1.1", res, err)
			res, err = c.over("http", g.port()).by(clear, "http://"+g.plain)
			check("HTTP/2.0", res, err)
			for protocol, transport := range map[string]http.RoundTripper{"HTTP/2.0": h2, "HTTP/3.0": h3} {
				res, err := c.over("https", g.tlsPort()).by(transport, "https://"+g.tls)
				check(protocol, res, err)
			}
		})
	}
}

// over fills in the places of a listener.
func (c sent) over(scheme, port string) sent {
	if c.host == "" {
		c.host = "127.0.0.1:PORT"
	}
	other := map[string]string{"http": "https", "https": "http"}[scheme]
	fill := strings.NewReplacer("PORT", port, "SELF", scheme+"://127.0.0.1:"+port, "SCHEME", scheme, "OTHER", other)
	c.host, c.header = fill.Replace(c.host), fill.Replace(c.header)
	return c
}

// raw is the request by HTTP/1.1.
func (c sent) raw() string {
	lines := "GET /v1/models HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: close\r\n"
	for line := range strings.SplitSeq(c.header, "\n") {
		if line != "" {
			lines += line + "\r\n"
		}
	}
	return lines + "\r\n"
}

// by sends the request by HTTP/2 or 3 to a listener.
func (c sent) by(transport http.RoundTripper, origin string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/v1/models", nil)
	if err != nil {
		return nil, err
	}
	r.Host = c.host
	for line := range strings.SplitSeq(c.header, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], strings.TrimSpace(value))
		}
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res, err
}

// Requests that only HTTP/1.1 can spell, or no browser would.
func TestRequestsThatAreNoLocalClients(t *testing.T) {
	g := startGateway(t)
	at := func(format string) string { return strings.ReplaceAll(format, "PORT", g.port()) }
	cases := map[string]struct {
		request string
		want    int
	}{
		"an absolute form":                     {"GET http://127.0.0.1:PORT/v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", http.StatusBadRequest},
		"an absolute form with another Host":   {"GET http://127.0.0.1:PORT/v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", http.StatusBadRequest},
		"a foreign absolute form":              {"GET http://evil.example/v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", http.StatusBadRequest},
		"an authority form":                    {"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", http.StatusBadRequest},
		"two Hosts":                            {"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example\r\n\r\n", http.StatusBadRequest},
		"no Host":                              {"GET /v1/models HTTP/1.0\r\n\r\n", http.StatusBadRequest},
		"an empty Host":                        {"GET /v1/models HTTP/1.1\r\nHost:\r\n\r\n", http.StatusBadRequest},
		"a user in Host":                       {"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT@evil.example\r\n\r\n", http.StatusBadRequest},
		"a zone in Host":                       {"GET /v1/models HTTP/1.1\r\nHost: [::1%25lo]:PORT\r\n\r\n", http.StatusBadRequest},
		"localhost in wide letters":            {"GET /v1/models HTTP/1.1\r\nHost: \uff4c\uff4fcalhost:PORT\r\n\r\n", http.StatusBadRequest},
		"the preflight of another site":        {"OPTIONS /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Private-Network: true\r\nAccess-Control-Request-Local-Network: true\r\n\r\n", http.StatusForbidden},
		"a WebSocket of another site":          {"GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", http.StatusForbidden},
		"a WebSocket of this origin":           {"GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", http.StatusSwitchingProtocols},
		"cleartext HTTP/2, by upgrade":         {"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", http.StatusBadRequest},
		"a Connection that hides a header":     {"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://evil.example\r\nConnection: close, Origin\r\n\r\n", http.StatusForbidden},
		"a Connection that hides a forwarding": {"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close, X-Forwarded-For\r\n\r\n", http.StatusUnauthorized},
		"a forwarding header in the trailer":   {"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://evil.example\r\nTransfer-Encoding: chunked\r\nTrailer: Origin\r\n\r\n0\r\nOrigin: http://127.0.0.1:PORT\r\n\r\n", http.StatusForbidden},
		"a PROXY header":                       {"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", http.StatusBadRequest},
		"a form that smuggles (text/plain)":    {"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: null\r\nContent-Type: text/plain\r\nContent-Length: 49\r\n\r\nGET /v1/x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n=    ", http.StatusForbidden},
		"TLS to the plain listener":            {"\x16\x03\x01\x00\x05hello\r\n\r\n", http.StatusBadRequest},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := g.upstream.total()
			res, err := send("tcp", g.plain, at(c.request))
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.want {
				t.Errorf("got %d, want %d", res.StatusCode, c.want)
			}
			reached := g.upstream.total() - before
			if want := c.want < http.StatusMultipleChoices; (reached > 0) != want {
				t.Errorf("the upstream got %d requests, want some: %v", reached, want)
			}
		})
	}
}

// The limits that are left: what a browser sends in these cases is what it, or
// another program of this machine, also sends for its user.
func TestLimitRequestsThatNothingTellsApart(t *testing.T) {
	g := startGateway(t)
	cases := map[string]string{
		"an image on a page with no-referrer, in a browser without Sec-Fetch-Site (before 2023)": "Accept: image/*",
		"a link that another program opens, or a typed address that redirects here":              "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
		"an extension that may access this machine":                                              "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty",
	}
	for name, lines := range cases {
		t.Run(name, func(t *testing.T) {
			res, err := send("tcp", g.plain, fmt.Sprintf("GET /v1/models HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", g.plain, lines))
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != fine {
				t.Errorf("got %d, want %d", res.StatusCode, fine)
			}
		})
	}
}
