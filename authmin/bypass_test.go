package authmin

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// localRequest is a request that has the loopback bypass.
func localRequest() *Request {
	return &Request{
		Method: "GET", Target: "/v1/models", Host: "127.0.0.1:8080", Header: http.Header{"Accept": {"*/*"}},
		Peer: netip.MustParseAddr("127.0.0.1"), Listener: Listener{Loopback: true, Port: "8080"},
	}
}

// Each row changes one thing about a request that has the bypass.
func TestBypassNeedsEveryCondition(t *testing.T) {
	header := func(name string, values ...string) func(*Request) {
		return func(r *Request) { r.Header[name] = values }
	}
	host := func(host string) func(*Request) { return func(r *Request) { r.Host = host } }
	peer := func(addr string) func(*Request) { return func(r *Request) { r.Peer = netip.MustParseAddr(addr) } }
	cases := map[string]struct {
		change func(*Request)
		want   Reason
	}{
		"nothing":                             {func(*Request) {}, ReasonNone},
		"another loopback peer":               {peer("127.9.9.9"), ReasonNone},
		"the IPv6 loopback":                   {peer("::1"), ReasonNone},
		"a mapped loopback peer":              {peer("::ffff:127.0.0.1"), ReasonNone},
		"a listener that is not loopback":     {func(r *Request) { r.Listener.Loopback = false }, ReasonMissing},
		"a zero listener":                     {func(r *Request) { r.Listener = Listener{} }, ReasonMissing},
		"a peer on the network":               {peer("192.168.1.9"), ReasonMissing},
		"a mapped peer on the network":        {peer("::ffff:192.168.1.9"), ReasonMissing},
		"a zoned peer":                        {peer("::1%lo"), ReasonMissing},
		"an unknown peer":                     {func(r *Request) { r.Peer = netip.Addr{} }, ReasonMissing},
		"an unspecified peer":                 {peer("0.0.0.0"), ReasonMissing},
		"a forwarding header":                 {header("X-Forwarded-For", "127.0.0.1"), ReasonMissing},
		"an empty forwarding header":          {header("Via", ""), ReasonMissing},
		"an alias of a forwarding header":     {header("X_Forwarded_For", "127.0.0.1"), ReasonMissing},
		"a forwarding header in lower case":   {header("forwarded", "for=127.0.0.1"), ReasonMissing},
		"the header of a tunnel":              {header("Cf-Connecting-Ip", "203.0.113.9"), ReasonMissing},
		"an identity header":                  {header(HeaderIdentity, "root"), ReasonMissing},
		"the name localhost":                  {host("localhost:8080"), ReasonNone},
		"the name localhost in upper case":    {host("LOCALHOST:8080"), ReasonNone},
		"the IPv6 name":                       {host("[::1]:8080"), ReasonNone},
		"another name":                        {host("attacker.example:8080"), ReasonHost},
		"a rebinding name":                    {host("127.0.0.1.nip.io:8080"), ReasonHost},
		"a name below an attacker's":          {host("localhost.attacker.example:8080"), ReasonHost},
		"a name that ends in localhost":       {host("evil-localhost:8080"), ReasonHost},
		"a subdomain of localhost":            {host("x.localhost:8080"), ReasonHost},
		"localhost with a dot":                {host("localhost.:8080"), ReasonHost},
		"another loopback address":            {host("127.0.0.2:8080"), ReasonHost},
		"a short form":                        {host("127.1:8080"), ReasonHost},
		"a decimal form":                      {host("2130706433:8080"), ReasonHost},
		"a hexadecimal form":                  {host("0x7f.0.0.1:8080"), ReasonHost},
		"the unspecified address":             {host("0.0.0.0:8080"), ReasonHost},
		"a mapped address":                    {host("[::ffff:127.0.0.1]:8080"), ReasonHost},
		"a long form of the IPv6 name":        {host("[0:0:0:0:0:0:0:1]:8080"), ReasonHost},
		"a zoned name":                        {host("[::1%25lo]:8080"), ReasonHost},
		"the IPv6 name without brackets":      {host("::1"), ReasonHost},
		"the IPv4 name in brackets":           {host("[127.0.0.1]:8080"), ReasonHost},
		"localhost in brackets":               {host("[localhost]:8080"), ReasonHost},
		"no name":                             {host(":8080"), ReasonHost},
		"no host":                             {host(""), ReasonHost},
		"another port":                        {host("127.0.0.1:1"), ReasonHost},
		"no port, which means 80":             {host("127.0.0.1"), ReasonHost},
		"an empty port":                       {host("127.0.0.1:"), ReasonHost},
		"the port with a zero":                {host("127.0.0.1:08080"), ReasonHost},
		"the port and more":                   {host("127.0.0.1:8080.evil.example"), ReasonHost},
		"a user in front":                     {host("127.0.0.1:8080@evil.example"), ReasonHost},
		"this origin":                         {header("Origin", "http://127.0.0.1:8080"), ReasonNone},
		"this origin in upper case":           {header("Origin", "HTTP://127.0.0.1:8080"), ReasonNone},
		"the same machine by another name":    {header("Origin", "http://localhost:8080"), ReasonOrigin},
		"this origin with a path":             {header("Origin", "http://127.0.0.1:8080/"), ReasonOrigin},
		"this origin by https":                {header("Origin", "https://127.0.0.1:8080"), ReasonOrigin},
		"another port of this host":           {header("Origin", "http://127.0.0.1:3000"), ReasonOrigin},
		"this host without its port":          {header("Origin", "http://127.0.0.1"), ReasonOrigin},
		"another origin":                      {header("Origin", "https://evil.example"), ReasonOrigin},
		"an origin that begins with this":     {header("Origin", "http://127.0.0.1:8080.evil.example"), ReasonOrigin},
		"an origin that ends with this":       {header("Origin", "http://evil.example#127.0.0.1:8080"), ReasonOrigin},
		"an origin below an attacker's":       {header("Origin", "http://localhost.evil.example"), ReasonOrigin},
		"no origin in particular":             {header("Origin", "null"), ReasonOrigin},
		"an empty origin":                     {header("Origin", ""), ReasonOrigin},
		"a file":                              {header("Origin", "file://"), ReasonOrigin},
		"an extension":                        {header("Origin", "chrome-extension://abcdef"), ReasonOrigin},
		"this origin twice":                   {header("Origin", "http://127.0.0.1:8080", "http://127.0.0.1:8080"), ReasonOrigin},
		"this origin and another":             {header("Origin", "http://127.0.0.1:8080", "http://evil.example"), ReasonOrigin},
		"a page of this origin":               {header("Referer", "http://127.0.0.1:8080/ui?x#y"), ReasonNone},
		"a page of another origin":            {header("Referer", "http://evil.example/http://127.0.0.1:8080/"), ReasonOrigin},
		"a page that begins with this origin": {header("Referer", "http://127.0.0.1:8080@evil.example/"), ReasonOrigin},
		"a page with a user":                  {header("Referer", "http://u@127.0.0.1:8080/"), ReasonOrigin},
		"a page of no origin":                 {header("Referer", "/ui"), ReasonOrigin},
		"an empty page":                       {header("Referer", ""), ReasonOrigin},
		"a page that cannot be parsed":        {header("Referer", "http://127.0.0.1:8080\\x/%zz"), ReasonOrigin},
		"two pages":                           {header("Referer", "http://127.0.0.1:8080/", "http://evil.example/"), ReasonOrigin},
		"an address that was typed":           {header("Sec-Fetch-Site", "none"), ReasonNone},
		"a fetch of the same origin":          {header("Sec-Fetch-Site", "same-origin"), ReasonNone},
		"a fetch of the same site":            {header("Sec-Fetch-Site", "same-site"), ReasonOrigin},
		"a fetch of another site":             {header("Sec-Fetch-Site", "cross-site"), ReasonOrigin},
		"a fetch of no site":                  {header("Sec-Fetch-Site", ""), ReasonOrigin},
		"a fetch in upper case":               {header("Sec-Fetch-Site", "SAME-ORIGIN"), ReasonOrigin},
		"two fetches":                         {header("Sec-Fetch-Site", "same-origin", "cross-site"), ReasonOrigin},
		"an invalid token":                    {header("Authorization", "Bearer "+tokenOf("x")), ReasonUnknown},
		"an empty credential":                 {header("Authorization", ""), ReasonMalformed},
		"a credential of another scheme":      {header("Authorization", "Basic eA=="), ReasonMalformed},
		"an own origin does not excuse the fetch": {func(r *Request) {
			header("Origin", "http://127.0.0.1:8080")(r)
			header("Sec-Fetch-Site", "cross-site")(r)
		}, ReasonOrigin},
		"an own page does not excuse the origin":   {func(r *Request) { header("Origin", "null")(r); header("Referer", "http://127.0.0.1:8080/")(r) }, ReasonOrigin},
		"TLS, and the origin says so":              {func(r *Request) { r.Listener.TLS = true; header("Origin", "https://127.0.0.1:8080")(r) }, ReasonNone},
		"TLS, and the origin does not say so":      {func(r *Request) { r.Listener.TLS = true; header("Origin", "http://127.0.0.1:8080")(r) }, ReasonOrigin},
		"port 80 and a host without a port":        {func(r *Request) { r.Listener.Port = "80"; r.Host = "localhost" }, ReasonNone},
		"port 443 by TLS and no port":              {func(r *Request) { r.Listener.Port, r.Listener.TLS = "443", true; r.Host = "[::1]" }, ReasonNone},
		"port 443 without TLS and no port":         {func(r *Request) { r.Listener.Port = "443"; r.Host = "localhost" }, ReasonHost},
		"port 80 by TLS and no port":               {func(r *Request) { r.Listener.Port, r.Listener.TLS = "80", true; r.Host = "localhost" }, ReasonHost},
		"a Unix socket, whose peer has no address": {func(r *Request) { r.Listener.Port, r.Peer, r.Host = "", netip.Addr{}, "localhost" }, ReasonNone},
		"a Unix socket with an address":            {func(r *Request) { r.Listener.Port = "" }, ReasonMissing},
		"a Unix socket, and a foreign host":        {func(r *Request) { r.Listener.Port, r.Peer, r.Host = "", netip.Addr{}, "evil.example" }, ReasonHost},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := localRequest()
			c.change(r)
			g := guardOf(t, fourKinds(t))
			g.Optional = true
			d := g.Decide(r, noon)
			if d.Reason != c.want || d.Allow != (c.want == ReasonNone) {
				t.Fatalf("got reason %q and allow %v, want %q", d.Reason, d.Allow, c.want)
			}
			if d.Allow && (d.Identity != NameLocalhost || d.Name != NameLocalhost || len(d.Scopes) != len(AllScopes())) {
				t.Errorf("got %q (%q) with scopes %v, want localhost with every scope", d.Identity, d.Name, d.Scopes)
			}
			if !d.Allow && (d.Name != "" || d.Identity != identityOf(r) || d.Scopes != nil) {
				t.Errorf("a refused request is %q (%q) with scopes %v", d.Name, d.Identity, d.Scopes)
			}
			g.Optional = false
			if d := g.Decide(r, noon); d.Allow || c.want == ReasonNone && d.Reason != ReasonMissing {
				t.Errorf("with the bypass off: got reason %q and allow %v", d.Reason, d.Allow)
			}
		})
	}
}

func TestParseOptional(t *testing.T) {
	for _, value := range []string{"true", "1", "TRUE", "True"} {
		if on, err := ParseOptional(value); !on || err != nil {
			t.Errorf("%q: got %v, %v, want true", value, on, err)
		}
	}
	for _, value := range []string{"", "false", "0", "FALSE", "False"} {
		if on, err := ParseOptional(value); on || err != nil {
			t.Errorf("%q: got %v, %v, want false", value, on, err)
		}
	}
	for _, value := range []string{"t", "T", "yes", "on", "tRUE", " true", "true ", "true\n", "2", "-1", "01", "null", "f", "no", "off", "{env.X}"} {
		if on, err := ParseOptional(value); on || err == nil {
			t.Errorf("%q: got %v, %v, want an error", value, on, err)
		}
	}
}

// An operator may put the token into the wrong variable.
func TestParseOptionalDoesNotRepeatAToken(t *testing.T) {
	const token = "canary-plain-0123456789abcdefghijklmnop"
	if _, err := ParseOptional(token); err == nil || strings.Contains(err.Error(), token[:12]) {
		t.Errorf("got %v", err)
	}
}
