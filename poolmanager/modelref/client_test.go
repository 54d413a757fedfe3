package modelref_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// get reads a URL with a new client.
func get(t *testing.T, o modelref.ClientOptions, link string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := modelref.NewClient(o).Do(r)
	if err == nil {
		t.Cleanup(func() { response.Body.Close() })
	}
	return response, err
}

func TestARedirectLeadsToListedHostsOnlyAndThreeTimesAtMost(t *testing.T) {
	asked := 0
	mirror := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		asked++
		if q.Header.Get("Accept-Encoding") != "identity" || len(q.Header["Referer"])+len(q.Header["Cookie"])+len(q.Header["Authorization"]) > 0 {
			t.Errorf("the mirror was sent %v", q.Header)
		}
	}))
	defer mirror.Close()
	hops := map[string]string{"/1": "/2", "/2": "/3", "/3": mirror.URL + "/m?signature=CANARY", "/0": "/1"}
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "v"})
		http.Redirect(w, q, hops[q.URL.Path], http.StatusFound)
	}))
	defer hub.Close()
	for name, c := range map[string]struct {
		from    string
		hosts   modelref.Hosts
		allowed bool
	}{
		"one to a listed host":     {"/3", modelref.Hosts{hub.URL, mirror.URL}, true},
		"three":                    {"/1", modelref.Hosts{hub.URL, mirror.URL}, true},
		"four":                     {"/0", modelref.Hosts{hub.URL, mirror.URL}, false},
		"one to a host not listed": {"/3", modelref.Hosts{hub.URL}, false},
		"no list":                  {"/3", nil, false},
	} {
		asked = 0
		_, err := get(t, modelref.ClientOptions{Hosts: c.hosts}, hub.URL+c.from)
		if c.allowed != (err == nil) || !c.allowed && !errors.Is(err, modelref.ErrRedirect) || c.allowed != (asked == 1) {
			t.Errorf("%s: got %v, and %d requests at the mirror", name, err, asked)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: the error shows the redirect's URL: %v", name, err)
		}
	}
}

// TestARedirectsURLIsInNoError: it may hold a signature, and errors are logged.
func TestARedirectsURLIsInNoError(t *testing.T) {
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.RawQuery == "" {
			http.Redirect(w, q, "/m?signature=CANARY", http.StatusFound)
			return
		}
		panic(http.ErrAbortHandler)
	}))
	defer hub.Close()
	_, err := get(t, modelref.ClientOptions{Hosts: modelref.Hosts{hub.URL}}, hub.URL+"/m")
	if err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("got %v, want an error without the signature", err)
	}
}

func TestAClientConnectsToAllowedAddressesOnly(t *testing.T) {
	inside := httptest.NewServer(http.NotFoundHandler())
	defer inside.Close()
	lookup := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	if _, err := get(t, modelref.ClientOptions{Lookup: lookup}, "http://hub.example:"+port); !errors.Is(err, modelref.ErrAddress) {
		t.Errorf("a name that leads to loopback: got %v, want %v", err, modelref.ErrAddress)
	}
	if _, err := get(t, modelref.ClientOptions{}, inside.URL); err != nil {
		t.Errorf("an address that was written as one: got %v", err)
	}
}

func TestTheHeaderOfASourceIsBounded(t *testing.T) {
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
	}))
	defer source.Close()
	if _, err := get(t, modelref.ClientOptions{}, source.URL); err == nil {
		t.Error("a header of 100 KiB was read")
	}
}
