package authmin

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// A proxy that may name identities has none of its own to ask about.
func TestAProxyIsNotIdentifiedByTheNameThatItGives(t *testing.T) {
	proxy := netip.MustParseAddr("10.0.0.7")
	g := Decider{
		Policy: new(Policy), Keyring: func() *Keyring { return new(Keyring) },
		TrustProxies: []netip.Prefix{netip.PrefixFrom(proxy, 32)}, ProxyScopes: []Scope{ScopeInfer},
	}
	r := Request{Method: http.MethodGet, Target: "/_llorch/me", Host: "localhost", Peer: proxy, Header: http.Header{HeaderIdentity: {"ci"}}}
	if d := g.Identify(&r, time.Now()); d.Allow || d.Name != "" || d.Problem == nil || d.Problem.Status != http.StatusUnauthorized {
		t.Errorf("got %+v", d)
	}
}
