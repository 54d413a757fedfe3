package staging

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"context"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/modelref"
)

func TestOnlyAModelThatTheCatalogVouchesForIsStaged(t *testing.T) {
	soon, past := time.Now().Add(time.Hour).UTC(), time.Now().Add(-time.Hour).UTC()
	for name, c := range map[string]struct {
		change map[string]any
		want   string // "" is staged
	}{
		"active":              {nil, ""},
		"verified":            {map[string]any{"verification": map[string]any{"status": "verified"}}, ""},
		"retired later":       {map[string]any{"state": "Retired", "retired_from": soon}, ""},
		"retired":             {map[string]any{"state": "Retired", "retired_from": past}, "retired"},
		"retired at once":     {map[string]any{"state": "Retired"}, "retired"},
		"no state":            {map[string]any{"state": ""}, "retired"},
		"failed verification": {map[string]any{"verification": map[string]any{"status": "failed"}}, "could not verify"},
		"a higher policy":     {map[string]any{"trust_policy": "sigstore"}, "trust_policy"},
		"the digest policy":   {map[string]any{"trust_policy": "digest"}, ""},
		"another id":          {map[string]any{"id": "n"}, "another model"},
		"no digest":           {map[string]any{"digest": ""}, "no sha256"},
		"a weak digest":       {map[string]any{"digest": "md5:d41d8cd98f00b204e9800998ecf8427e"}, "no sha256"},
		"a path as digest":    {map[string]any{"digest": "sha256:../../../../../../../../../../../../../../../../../../../../../../x"}, "no sha256"},
		"upper-case digest":   {map[string]any{"digest": "sha256:" + strings.Repeat("A", 64)}, "no sha256"},
		"a long source":       {map[string]any{"source_url": "https://h/" + strings.Repeat("x", 2048)}, "longer"},
		"an unnamed host":     {map[string]any{"source_url": "https://example.com/m"}, "MODEL_HOSTS"},
		"plain http":          {map[string]any{"source_url": "http://example.com/m"}, "plain http"},
		"another loopback":    {map[string]any{"source_url": "http://127.0.0.1:1/m"}, "MODEL_HOSTS"},
		"a credential":        {map[string]any{"source_url": "https://u:p@example.com/m"}, "no user"},
		"a query":             {map[string]any{"source_url": "https://example.com/m?x=1"}, "query"},
		"another scheme":      {map[string]any{"source_url": "ftp://example.com/m"}, "https URL"},
		"no scheme":           {map[string]any{"source_url": "/etc/passwd"}, "file:NAME"},
		"an absolute file":    {map[string]any{"source_url": "file:/etc/passwd"}, "relative"},
		"a file URL":          {map[string]any{"source_url": "file:///etc/passwd"}, "relative"},
		"a way up":            {map[string]any{"source_url": "file:../x"}, "relative"},
		"a hidden way up":     {map[string]any{"source_url": "file:a/../../x"}, "relative"},
		"an absent file":      {map[string]any{"source_url": "file:absent"}, "no such file"},
		"a directory":         {map[string]any{"source_url": "file:.staging"}, "regular"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStagingRig(t, 1000, nil)
			r.enter("m", c.change)
			path, err := r.Stage(t.Context(), "catalog:m", nil)
			if c.want == "" {
				r.checkStaged(t, path, err)
				return
			}
			r.notStaged(t, err, ErrStaging)
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something about %s", err, c.want)
			}
			if len(r.asked) > 0 {
				t.Error("the source was asked")
			}
		})
	}
}

func TestTheCatalogsRefusalsAreReported(t *testing.T) {
	r := newStagingRig(t, 1000, nil)
	if _, err := r.Stage(t.Context(), "catalog:absent", nil); err == nil || !strings.Contains(err.Error(), "no model of this id") {
		t.Errorf("unknown: %v", err)
	}
	r.token = authmin.RandomSecret()
	wrong := authmin.RandomSecret()
	r.Stager.Catalog = catalogAt(t, r.catalog.URL, func() authmin.Secret { return wrong })
	if _, err := r.Stage(t.Context(), "catalog:m", nil); err == nil || !strings.Contains(err.Error(), "scope catalog") {
		t.Errorf("no right: %v", err)
	}
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, other.URL, http.StatusFound) },
		"no JSON":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"an endless one": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id":"` + strings.Repeat("m", 1<<20) + `"}`))
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		r.catalog.Config.Handler = answer
		_, err := r.Stage(t.Context(), "catalog:m", nil)
		if r.notStaged(t, err, ErrStaging); elsewhere > 0 {
			t.Errorf("%s was followed with the token", name)
		}
	}
	for _, ref := range []string{"catalog:", "catalog:..", "catalog:a/b", "catalog:..%2f", "catalog:a b", "catalog:-a", "catalog:a\x00", "catalog:ü", "m", "catalog:" + strings.Repeat("a", 129)} {
		if _, err := r.Stage(t.Context(), ref, nil); !errors.Is(err, modelref.ErrRef) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

// TestANodeComesUpWithoutItsOrchestrator: what the catalog said last is enough
// for what is here, and for nothing else.
func TestANodeComesUpWithoutItsOrchestrator(t *testing.T) {
	r := newStagingRig(t, 1000, nil)
	r.enter("never-staged", map[string]any{"digest": "sha256:" + strings.Repeat("0", 64)})
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if _, err := r.Stage(t.Context(), "catalog:never-staged", nil); err == nil {
		t.Error("the wrong digest was staged")
	}
	r.catalog.Close()
	restarted := New(r.Options)
	if again, err := restarted.Stage(t.Context(), "catalog:m", nil); err != nil || again != path {
		t.Errorf("without the catalog: %s, %v", again, err)
	}
	for _, ref := range []string{"catalog:never-staged", "catalog:never-heard-of"} {
		if _, err := restarted.Stage(t.Context(), ref, nil); !errors.Is(err, errCatalogDown) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	// A clear no is not an outage.
	r.catalog = httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(r.catalog.Close)
	restarted.Catalog = catalogAt(t, r.catalog.URL, func() authmin.Secret { return r.token })
	if _, err := restarted.Stage(t.Context(), "catalog:m", nil); err == nil {
		t.Error("a model that the catalog dropped was staged")
	}
}

// TestTheDownloadDialsWhatWasPinned: over https, with a name that resolves
// elsewhere later.
func TestTheDownloadDialsWhatWasPinned(t *testing.T) {
	r := newStagingRig(t, 1000, nil)
	secure := httptest.NewTLSServer(r.source.Config.Handler)
	t.Cleanup(secure.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(secure.URL, "https://"), ":")
	asked := 0
	r.Hosts = []string{"example.com:" + port, "localhost:" + port, strings.TrimPrefix(secure.URL, "https://")}
	r.cas = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	r.lookup = func(context.Context, string) ([]netip.Addr, error) {
		asked++
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	r.enter("m", map[string]any{"source_url": "https://example.com:" + port + "/m"})
	_, err := r.Stage(t.Context(), "catalog:m", nil)
	r.notStaged(t, err, errSource)
	if asked != 1 || len(r.asked) > 0 {
		t.Errorf("%d look-ups, %d requests", asked, len(r.asked))
	}
	r.enter("m", map[string]any{"source_url": secure.URL + "/m"})
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	// The server's own certificate is checked.
	r.cas = nil
	r.enter("n", map[string]any{"source_url": secure.URL + "/m", "digest": "sha256:" + strings.Repeat("1", 64)})
	if _, err := r.Stage(t.Context(), "catalog:n", nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
}
