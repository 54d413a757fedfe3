package caddymodule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// behindProxy are options of a server whose peers on loopback are proxies. A
// lockout with such a list that is not strict is refused at the start, so the
// address is looked at in the audit trail.
func behindProxy(strict, lockout string) string {
	return "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32 10.0.0.0/8\n" + strict + "\t}\n" +
		strings.Replace(twoTokens, "authmin {\n", "authmin {\n\t\tlockout "+lockout+"\n", 1)
}

// What a client says of its address stands before what the proxy adds, and is not
// believed.
func TestTheClientIsTheLastAddressThatNoProxyHas(t *testing.T) {
	for _, strict := range []string{"", "\t\ttrusted_proxies_strict\n"} {
		g := serve(t, false, behindProxy(strict, "off"), "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
		sent := 0
		for _, c := range []struct {
			name  string
			lines []string
			want  string
		}{
			{"no header", nil, "127.0.0.1"},
			{"the proxy's alone", []string{"203.0.113.7"}, "203.0.113.7"},
			{"an invented one before it", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
			{"another invented one", []string{"198.51.100.2,203.0.113.7"}, "203.0.113.7"},
			{"an invented line before it", []string{"198.51.100.3", "203.0.113.7"}, "203.0.113.7"},
			{"two proxies", []string{"198.51.100.4, 203.0.113.7, 10.0.0.9"}, "203.0.113.7"},
			{"a port", []string{"198.51.100.5, 203.0.113.7:4711"}, "203.0.113.7"},
			{"IPv6", []string{"198.51.100.6, 2001:db8::7"}, "2001:db8::7"},
			{"proxies alone", []string{"10.0.0.8, 10.0.0.9"}, "127.0.0.1"},
		} {
			var fields []string
			for _, line := range c.lines {
				fields = append(fields, "X-Forwarded-For: "+line)
			}
			if got := statusOf(t, g, "/v1/x", append(fields, "Authorization: Bearer wrong")...); got != 401 {
				t.Errorf("%s: got %d, want 401", c.name, got)
			}
			sent++
			records := g.recordsOf(t, sent)
			if got := records[len(records)-1]["client_ip"]; got != c.want {
				t.Errorf("%q, %s: client_ip %v, want %s", strings.TrimSpace(strict), c.name, got, c.want)
			}
		}
	}
}

// Where the end of the header is no address, what stands before it is not looked at.
func TestAnUnreadableEndOfTheChainIsThePeer(t *testing.T) {
	g := serve(t, false, behindProxy("", "off"), "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	for i, line := range []string{"198.51.100.1, unknown", "198.51.100.1,", "198.51.100.1, _hidden", "198.51.100.1" + strings.Repeat(", 10.0.0.1", maxHops)} {
		statusOf(t, g, "/v1/x", "X-Forwarded-For: "+line)
		records := g.recordsOf(t, i+1)
		if got := records[i]["client_ip"]; got != "127.0.0.1" {
			t.Errorf("%.40q: client_ip %v, want the peer's", line, got)
		}
	}
}

// A client that invents an address for each guess is locked out all the same, and
// another one behind the same proxy is not.
func TestForgedAddressesDoNotBypassTheLockout(t *testing.T) {
	g := serve(t, false, behindProxy("\t\ttrusted_proxies_strict\n", "3 1m 5m"), "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	var got []int
	for i := range 5 {
		got = append(got, statusOf(t, g, "/v1/x", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d, 203.0.113.9", i), "Authorization: Bearer wrong"))
	}
	if want := "[401 401 401 429 429]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if got := statusOf(t, g, "/v1/x", "X-Forwarded-For: 203.0.113.10", "Authorization: Bearer wrong"); got != 401 {
		t.Errorf("another client: got %d, want 401", got)
	}
}

// The places of a public route are counted by the same address.
func TestForgedAddressesDoNotBypassThePublicLimit(t *testing.T) {
	release := make(chan struct{})
	up := rawUpstream(t, (&held{release}).ServeHTTP)
	g := serve(t, false, behindProxy("", "off"), "authmin {\n\tpublic /v1/*\n\tpublic_inflight 1\n}\nreverse_proxy "+up)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = g.ask(t, plainClient(), "GET", "/v1/hold", "X-Forwarded-For: 198.51.100.1, 203.0.113.7")
	}()
	testkit.Eventually(t, "the slot to be taken", func() bool { return publicSlots(t) == 1 })
	if got := statusOf(t, g, "/v1/x", "X-Forwarded-For: 198.51.100.2, 203.0.113.7"); got != 429 {
		t.Errorf("the same client, with another invented address: got %d, want 429", got)
	}
	if got := statusOf(t, g, "/v1/x", "X-Forwarded-For: 198.51.100.2, 203.0.113.8"); got != 200 {
		t.Errorf("another client: got %d, want 200", got)
	}
	close(release)
	<-done
}
