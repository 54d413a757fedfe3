package orchestrator_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
)

func digest(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

func (s *service) catalog(status int, method, path string, body any) map[string]any {
	s.t.Helper()
	return s.want(status, "ops", "catalog", method, "/v2/catalog"+path, body)
}

func (s *service) enter(id, digest, source, extra string) {
	s.t.Helper()
	s.catalog(201, "POST", "/models", fmt.Sprintf(`{"id":%q,"digest":%q,"source_url":%q%s}`, id, digest, source, extra))
}

// verified has a model verified and gives what the record then says.
func (s *service) verified(id string) (status, reason string) {
	s.t.Helper()
	s.catalog(202, "POST", "/models/"+id+"/verify", nil)
	var v map[string]any
	testkit.Eventually(s.t, id+" is verified or not", func() bool {
		v = s.catalog(200, "GET", "/models/"+id, nil)["verification"].(map[string]any)
		return v["status"] != "verifying"
	})
	reason, _ = v["reason"].(string)
	if v["checked_at"] == nil {
		s.t.Errorf("%s: no time in %v", id, v)
	}
	return v["status"].(string), reason
}

func TestVerifyReadsTheBytesAndTellsTheTruth(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "good"), "weights")
	write(filepath.Join(outside, "secret"), "secret")
	for _, err := range []error{
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "link")),
		os.Symlink(outside, filepath.Join(root, "dir")),
		os.Symlink("good", filepath.Join(root, "inside")),
		syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, app.Options{Settings: orchestrator.Settings{ModelRoot: root}})
	for _, c := range []struct{ id, digest, source, extra, status, reason string }{
		{"good", digest("weights"), "file:good", "", "verified", ""},
		{"a-link-inside", digest("weights"), "file:inside", "", "verified", ""},
		{"changed", digest("other"), "file:good", "", "failed", "is " + digest("weights")},
		{"absent", digest("x"), "file:nothing", "", "failed", "no such file"},
		{"a-directory", digest("x"), "file:dir", "", "failed", "could not be read"},
		{"a-link-out", digest("secret"), "file:link", "", "failed", "could not be read"},
		{"through-a-link", digest("secret"), "file:dir/secret", "", "failed", "could not be read"},
		{"a-fifo", digest(""), "file:fifo", "", "failed", "not a regular file"},
		{"signed", digest("weights"), "file:good", `,"signatures":["MEUCIQ"],"trust_policy":"cosign"`, "failed", "nothing else is checked"},
		{"no-such-host", digest("x"), "https://127.0.0.1:1/x", "", "failed", "model_hosts"},
	} {
		s.enter(c.id, c.digest, c.source, c.extra)
		if status, reason := s.verified(c.id); status != c.status || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: got %s %q, want %s %q", c.id, status, reason, c.status, c.reason)
		}
	}
	write(filepath.Join(root, "good"), "weightz")
	if status, _ := s.verified("good"); status != "failed" {
		t.Errorf("after one byte changed: got %s, want failed", status)
	}
	s.enter("no-root", digest("x"), "file:good", "")
	s = start(t, app.Options{})
	s.enter("no-root", digest("weightz"), "file:good", "")
	if status, reason := s.verified("no-root"); status != "failed" || !strings.Contains(reason, "model_root") {
		t.Errorf("without a root: got %s %q", status, reason)
	}
}

func TestModelsAreReadOnlyFromNamedHosts(t *testing.T) {
	var asked []string
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Write([]byte("weights"))
	}))
	t.Cleanup(other.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a credential was sent")
		}
		w.Write([]byte("weights"))
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("weights"))
	})
	mux.Handle("/moved", http.RedirectHandler("/good", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler(other.URL+"/stolen", http.StatusFound))
	mux.Handle("/plain", http.RedirectHandler("http://127.0.0.1:1/x", http.StatusFound))
	named := httptest.NewTLSServer(mux)
	t.Cleanup(named.Close)
	cas := x509.NewCertPool()
	cas.AddCert(named.Certificate())
	s := start(t, app.Options{Settings: orchestrator.Settings{ModelHosts: []string{strings.TrimPrefix(named.URL, "https://")}, ModelCAs: cas}})
	for _, c := range []struct{ path, status, reason string }{
		{"good", "verified", ""}, {"moved", "verified", ""}, {"nothing", "failed", "answered 404"},
		{"short", "failed", "could not be read to its end"},
		{"away", "failed", "redirects"}, {"plain", "failed", "redirects"},
	} {
		s.enter(c.path, digest("weights"), named.URL+"/"+c.path, "")
		if status, reason := s.verified(c.path); status != c.status || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: got %s %q, want %s %q", c.path, status, reason, c.status, c.reason)
		}
	}
	s.enter("other", digest("weights"), other.URL+"/direct", "")
	if status, _ := s.verified("other"); status != "failed" || len(asked) != 0 {
		t.Errorf("a host that is not named: got %s, and it was asked for %v", status, asked)
	}
}

func TestModelIDsAndSourcesAreNoPaths(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{ModelRoot: t.TempDir()}})
	for _, id := range []string{"../x", "..", "a/b", "/etc/passwd", "", ".hidden", "a b", "a\x00b", strings.Repeat("x", 129), "*", ">"} {
		s.catalog(422, "POST", "/models", map[string]string{"id": id, "digest": digest("x"), "source_url": "file:x"})
	}
	for _, source := range []string{
		"file:../x", "file:/etc/passwd", "file:///etc/passwd", "file:a/../../x", "file:.", "file:", `file:a\b`, "file:a//b", "file:./a",
		"http://example.com/x", "https://u:p@example.com/x", "https://example.com/x?token=1", "https:///x", "ftp://example.com/x",
		"/etc/passwd", "", "https://example.com/" + strings.Repeat("x", 2048),
	} {
		s.catalog(422, "POST", "/models", map[string]string{"id": "m", "digest": digest("x"), "source_url": source})
	}
	for _, bad := range []string{"", "sha256:", "md5:abc", strings.ToUpper(digest("x")), digest("x")[7:]} {
		s.catalog(422, "POST", "/models", map[string]string{"id": "m", "digest": bad, "source_url": "file:x"})
	}
	s.catalog(404, "GET", "/models/..%2f..%2fetc", nil)
	if got := s.catalog(200, "GET", "/models", nil); got["count"] != 0.0 {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestTheCatalogKeepsItsModels(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	for _, id := range []string{"c", "a:7b-q4.gguf", "b"} {
		s.enter(id, digest(id), "file:"+strings.ReplaceAll(id, ":", "-"), `,"tags":["x"],"sbom":"s","manifests":["m"]`)
	}
	s.catalog(409, "POST", "/models", map[string]string{"id": "b", "digest": digest("x"), "source_url": "file:x"})
	first := s.catalog(200, "GET", "/models?limit=2", nil)
	if first["count"] != 3.0 || first["next_cursor"] != "b" {
		t.Errorf("first page: got %v", first)
	}
	s.Stop(context.Background())
	s = start(t, app.Options{StateDir: dir})
	second := s.catalog(200, "GET", "/models?limit=2&cursor=b", nil)
	if models := second["models"].([]any); len(models) != 1 || models[0].(map[string]any)["id"] != "c" || second["next_cursor"] != nil {
		t.Errorf("second page: got %v", second)
	}
	s.catalog(204, "DELETE", "/models/b", nil)
	s.catalog(404, "DELETE", "/models/b", nil)
	s.catalog(404, "GET", "/models/b", nil)
	s.catalog(404, "POST", "/models/b/verify", nil)
	s.catalog(404, "POST", "/models/b/state", `{"state":"Retired"}`)
	s.enter("b", digest("new"), "file:new", "")
}

func TestARetiredModelTakesNoNewTasks(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	s.enter("demo", digest("x"), "file:demo", "")
	s.submit("")
	s.catalog(202, "POST", "/models/demo/state", `{"state":"Retired","deadline_ms":86400000}`)
	s.submit("") // until the deadline
	s.catalog(202, "POST", "/models/demo/state", `{"state":"Retired"}`)
	if got := s.want(404, "ci", "infer", "POST", "/v2/tasks", task("")); got["code"] != "MODEL_NOT_AVAILABLE" {
		t.Errorf("got %v", got)
	}
	if got := s.want(200, "ci", "infer", "GET", "/v1/models", nil); len(got["data"].([]any)) != 0 {
		t.Errorf("the list of models has %v", got)
	}
	s.catalog(202, "POST", "/models/demo/state", `{"state":"Active"}`)
	s.submit("")
	s.catalog(422, "POST", "/models/demo/state", `{"state":"Deleted"}`)
	s.enter("known", digest("x"), "file:x", "")
	s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"known","prompt":"x"}`) // waits for a node
}

func TestAvailabilitySaysWhichNodeHoldsWhichModel(t *testing.T) {
	s := start(t, app.Options{})
	p := newPool(t, echo(1))
	s.join("n1", p, 1)
	r := p.registration("n2", 1)
	r.Pools[0].Models = []string{"demo", "catalog:big"}
	s.want(200, "n2", "nodes", "POST", "/v2/nodes/register", r)
	s.enter("big", digest("x"), "file:x", "")
	s.enter("nowhere", digest("y"), "file:y", "")
	got := s.catalog(200, "GET", "/availability", nil)
	if fmt.Sprint(got["replicated"], got["single_node"], got["missing"]) != "[demo] [big] [nowhere]" {
		t.Errorf("got %v", got)
	}
	want := `map[holders:[map[node_id:n2 pool_id:p ready:true]] in_catalog:true model:big state:Active]`
	if models := got["models"].([]any); len(models) != 3 || fmt.Sprint(models[0]) != want {
		t.Errorf("got %v, want %s first", models, want)
	}
}
