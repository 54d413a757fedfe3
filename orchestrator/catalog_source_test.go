package orchestrator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// anyName answers each name with the same addresses.
type anyName []netip.Addr

func (n anyName) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return n, nil }

// TestANamedSourceDoesNotLeadIntoThisMachine has an allowed host resolve to
// a loopback or private address on which a server listens.
func TestANamedSourceDoesNotLeadIntoThisMachine(t *testing.T) {
	var reached atomic.Int32
	inside := httptest.NewUnstartedServer(http.NotFoundHandler())
	inside.Config.ConnState = func(net.Conn, http.ConnState) { reached.Add(1) }
	inside.StartTLS()
	defer inside.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(inside.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]string{{"127.0.0.1"}, {"93.184.215.14", "127.0.0.1"}, {"::1"}, {"::ffff:127.0.0.1"}, {"169.254.169.254"}} {
		var found anyName
		for _, a := range list {
			found = append(found, netip.MustParseAddr(a))
		}
		host := "hub.example:" + port
		m := modelSources{hosts: []string{host}, names: found}
		_, _, err := m.digest(t.Context(), "https://"+host+"/model")
		var refused errSource
		if !errors.As(err, &refused) || reached.Load() != 0 {
			t.Errorf("at %v: got %v and %d connections, want it refused", list, err, reached.Load())
		}
	}
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port} { // the operator wrote them
		before := reached.Load()
		m := modelSources{hosts: []string{host}, names: anyName{netip.MustParseAddr("127.0.0.1")}}
		if _, _, err := m.digest(t.Context(), "https://"+host+"/model"); err == nil || reached.Load() == before {
			t.Errorf("%s: got %v without a connection", host, err)
		}
	}
}

// TestWhatNodesStageIsVerified reads sources that a node with the same model_hosts
// downloads: another spelling of the host, and plain http on loopback.
func TestWhatNodesStageIsVerified(t *testing.T) {
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("weights")) }))
	defer source.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(source.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	names := anyName{netip.MustParseAddr("127.0.0.1")}
	for _, link := range []string{source.URL + "/m", "http://LOCALHOST:" + port + "/m"} {
		if err := checkSource(link); err != nil {
			t.Errorf("%s cannot be entered: %v", link, err)
		}
		m := modelSources{hosts: []string{source.URL, "http://localhost:" + port}, names: names}
		if _, size, err := m.digest(t.Context(), link); err != nil || size != int64(len("weights")) {
			t.Errorf("%s: read %d bytes, %v", link, size, err)
		}
		m.hosts = []string{"127.0.0.1:" + port, "localhost:" + port} // https only
		if _, _, err := m.digest(t.Context(), link); err == nil {
			t.Errorf("%s was read, but only https is allowed", link)
		}
	}
}
