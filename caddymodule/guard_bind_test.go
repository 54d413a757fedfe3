package caddymodule

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// The bind policy, over every kind of address that Caddy knows. What is not
// plainly this machine's own is exposed.
func TestBindPolicy(t *testing.T) {
	cases := map[string]struct {
		site string // the address line, and a bind line if there is one
		bind string
		want string // loopback, exposed (needs a token), clear (needs TLS or plaintext too)
	}{
		"IPv4 loopback":                    {site: "http://127.0.0.1:8080", bind: "127.0.0.1", want: "loopback"},
		"another 127":                      {site: "http://x:8080", bind: "127.9.9.9", want: "loopback"},
		"IPv6 loopback":                    {site: "http://x:8080", bind: "[::1]", want: "loopback"},
		"mapped loopback":                  {site: "http://x:8080", bind: "[::ffff:127.0.0.1]", want: "loopback"},
		"localhost":                        {site: "http://x:8080", bind: "localhost", want: "loopback"},
		"Unix socket":                      {site: "http://x", bind: "unix//tmp/authmin-test.sock", want: "loopback"},
		"Unix socket with a mode":          {site: "http://x", bind: "unix//tmp/authmin-test.sock|0222", want: "loopback"},
		"abstract socket":                  {site: "http://x", bind: "unix/@authmin-test", want: "loopback"},
		"both loopbacks":                   {site: "http://x:8080", bind: "127.0.0.1 ::1", want: "loopback"},
		"tcp4 loopback":                    {site: "http://x:8080", bind: "tcp4/127.0.0.1", want: "loopback"},
		"loopback with TLS":                {site: "https://x:8443", bind: "127.0.0.1", want: "loopback"},
		"the Host header is not the bind":  {site: "http://127.0.0.1:8080", want: "clear"},
		"localhost as a site":              {site: "http://localhost:8080", want: "clear"},
		"only a port":                      {site: ":8080", want: "clear"},
		"IPv4 wildcard":                    {site: "http://x:8080", bind: "0.0.0.0", want: "clear"},
		"IPv6 wildcard":                    {site: "http://x:8080", bind: "[::]", want: "clear"},
		"a private address":                {site: "http://x:8080", bind: "192.168.1.1", want: "clear"},
		"a link-local address with a zone": {site: "http://x:8080", bind: "[fe80::1%eth0]", want: "clear"},
		"loopback with a zone":             {site: "http://x:8080", bind: "[::1%lo]", want: "clear"},
		"a short loopback":                 {site: "http://x:8080", bind: "127.1", want: "clear"},
		"a decimal loopback":               {site: "http://x:8080", bind: "2130706433", want: "clear"},
		"a hexadecimal loopback":           {site: "http://x:8080", bind: "0x7f.1", want: "clear"},
		"localhost and a dot":              {site: "http://x:8080", bind: "localhost.", want: "clear"},
		"below localhost":                  {site: "http://x:8080", bind: "evil.localhost", want: "clear"},
		"a descriptor":                     {site: "http://x:8080", bind: "fd/3", want: "clear"},
		"a datagram descriptor":            {site: "http://x:8080", bind: "fdgram/3", want: "clear"},
		"the second bind":                  {site: "http://x:8080", bind: "127.0.0.1 0.0.0.0", want: "clear"},
		"the second site on one server":    {site: "http://x:8080, http://y:8080", want: "clear"},
		"wildcard with TLS":                {site: "https://x:8443", want: "exposed"},
		"a public name":                    {site: "gateway.example.com", want: "exposed"},
		"TLS and the HTTP port":            {site: "gateway.example.com, http://gateway.example.com", want: "clear"},
		"TLS on the HTTP port":             {site: "http://x:80", want: "clear"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			check := func(tokens, option string) error {
				bind := c.bind
				if bind != "" {
					bind = "\tbind " + bind + "\n"
				}
				return validate(t, options(silent, tokens)+c.site+" {\n"+bind+"\tauthmin {\n\t\t"+option+"\n\t}\n\trespond ok\n}\n")
			}
			bare, tokens, plaintext := check("\tauthmin\n", ""), check(twoTokens, ""), check(twoTokens, "plaintext")
			if got := errors.Is(bare, authmin.ErrNonLoopbackWithoutToken) || bare != nil && strings.Contains(bare.Error(), authmin.ErrNonLoopbackWithoutToken.Error()); got != (c.want != "loopback") {
				t.Errorf("without a token: %v", bare)
			}
			if (tokens != nil) != (c.want == "clear") {
				t.Errorf("with a token: %v", tokens)
			}
			if plaintext != nil {
				t.Errorf("with a token and plaintext: %v", plaintext)
			}
		})
	}
}

// plaintext is about clear text only: it stands in for no token.
func TestPlaintextDoesNotReplaceAToken(t *testing.T) {
	err := validate(t, options(silent, "\tauthmin\n")+":8080 {\n\tauthmin {\n\t\tplaintext\n\t}\n}\n")
	expectRefused(t, err, ":8080", "no token is configured", "LLORCH_API_TOKEN")
}

// A second guard's exposed server is not excused by the first one's.
func TestEveryServerIsChecked(t *testing.T) {
	site := "http://%:8080 {\n\tbind 127.0.0.1\n\tauthmin\n}\nhttp://%:8081 {\n\tauthmin\n}\n"
	err := validate(t, options(silent, "\tauthmin\n")+strings.ReplaceAll(site, "%", "x"))
	expectRefused(t, err, ":8081", "no token is configured")
}

// TestAnExposedShadowGuardDoesNotStart: it would let everything through, with a token and
// `plaintext` as without.
func TestAnExposedShadowGuardDoesNotStart(t *testing.T) {
	const guard = "\tauthmin {\n\t\tshadow\n\t\tplaintext\n\t}\n\trespond ok\n}\n"
	if err := validate(t, options(silent, twoTokens)+"http://x:8080 {\n\tbind 127.0.0.1\n"+guard); err != nil {
		t.Errorf("on loopback: %v", err)
	}
	err := validate(t, options(silent, twoTokens)+":8080 {\n"+guard)
	expectRefused(t, err, "shadow guard refuses nothing", authmin.ErrNonLoopbackWithoutToken.Error())
}

// TestTheBypassIsOfLoopbackListenersOnly: of two listeners on one port the one that accepted
// a request is not known, and so the exposed one counts.
func TestTheBypassIsOfLoopbackListenersOnly(t *testing.T) {
	loopback, exposed := listener{port: 8080, loopback: true}, listener{port: 8080}
	for name, c := range map[string]struct {
		set  listenerSet
		at   net.Addr
		want bool
	}{
		"loopback":                     {listenerSet{all: []listener{loopback}}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, true},
		"exposed":                      {listenerSet{all: []listener{exposed}}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, false},
		"both on one port":             {listenerSet{all: []listener{loopback, exposed}}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, false},
		"both, in the other order":     {listenerSet{all: []listener{exposed, loopback}}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, false},
		"another port":                 {listenerSet{all: []listener{loopback}}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081}, false},
		"behind a wrapper":             {listenerSet{all: []listener{loopback}, wrapped: true}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, false},
		"an address that is not known": {listenerSet{all: []listener{loopback}}, nil, false},
	} {
		ctx := t.Context()
		if c.at != nil {
			ctx = context.WithValue(ctx, http.LocalAddrContextKey, c.at)
		}
		r, err := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:8080/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.set.of(r); got.Loopback != c.want {
			t.Errorf("%s: got %+v, want loopback %v", name, got, c.want)
		}
	}
}

// A range is many addresses, and only JSON can say one.
func TestPortRanges(t *testing.T) {
	config := func(tokens, listen string) []byte {
		return []byte(`{"admin":{"disabled":true},"apps":{"authmin":{` + tokens + `},"http":{"servers":{"s":{"listen":["` + listen + `"],"routes":[{"handle":[{"handler":"authmin"}]}]}}}}}`)
	}
	const token = `"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["infer"]}]`
	if err := validateJSON(t, config("", "127.0.0.1:2000-2010")); err != nil {
		t.Error(err)
	}
	expectRefused(t, validateJSON(t, config("", ":2000-2010")), "no token is configured")
	expectRefused(t, validateJSON(t, config(token, ":2000-2010")), "plain HTTP")
	expectRefused(t, validateJSON(t, config(token, "127.0.0.1:2000-9000")), "more than 1024 ports")
}

// A keyring file without a token is no token.
func TestEmptyKeyringIsNoToken(t *testing.T) {
	path := t.TempDir() + "/tokens"
	writeKeyring(t, path)
	site := "http://x:8080 {\n\tauthmin {\n\t\tplaintext\n\t}\n}\n"
	expectRefused(t, validate(t, options(silent, "\tauthmin {\n\t\ttoken_file "+path+"\n\t}\n")+site), "no token is configured")
	writeKeyring(t, path, keyringLine("ci", tokenInfer, "infer"))
	if err := validate(t, options(silent, "\tauthmin {\n\t\ttoken_file "+path+"\n\t}\n")+site); err != nil {
		t.Error(err)
	}
}

// What a PROXY header says is not the socket's peer.
func TestTrustProxyGoesWithNoListenerWrapper(t *testing.T) {
	const site = "http://x:8080 {\n\tbind 127.0.0.1\n\tauthmin\n\trespond ok\n}\n"
	const wrapper = "\tservers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol {\n\t\t\t\tallow 10.0.0.0/8\n\t\t\t}\n\t\t}\n\t}\n"
	const proxy = "\tauthmin {\n\t\ttrust_proxy 10.0.0.7/32\n\t}\n"
	for _, c := range []struct {
		globals []string
		refused bool
	}{{[]string{wrapper}, false}, {[]string{proxy}, false}, {[]string{wrapper, proxy}, true}} {
		err := validate(t, options(append(c.globals, silent)...)+site)
		if refused := errors.Is(err, errWrappedProxies) || err != nil && strings.Contains(err.Error(), errWrappedProxies.Error()); refused != c.refused {
			t.Errorf("%q: %v, want a refusal: %v", c.globals, err, c.refused)
		}
	}
}
