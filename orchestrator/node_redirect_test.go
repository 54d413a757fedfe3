package orchestrator

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestTheClientOfANodeFollowsNothing, in each of its uses: the client itself leaves redirects
// alone, and reaches the checked address under every name.
func TestTheClientOfANodeFollowsNothing(t *testing.T) {
	var hosts []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
		http.Redirect(w, r, "http://second.test/", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	to := target{base: "http://first.test", pin: netip.MustParseAddrPort(server.Listener.Addr().String())}
	for name, client := range map[string]*http.Client{"tasks": to.httpClient(nil), "commands": to.controlClient(nil)} {
		hosts = nil
		answer, err := client.Get(to.base)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		client.CloseIdleConnections()
		if answer.StatusCode != http.StatusTemporaryRedirect || len(hosts) != 1 || hosts[0] != "first.test" {
			t.Errorf("%s: got %d after requests to %q, want 307 after one to first.test", name, answer.StatusCode, hosts)
		}
	}
}
