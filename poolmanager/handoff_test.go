package poolmanager

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// foreign is an engine that another program started; a completion ends when release
// is closed.
func foreign(t *testing.T, release chan struct{}) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[{"id":"other"},{"id":"theirs"}]}`)
	})
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, q *http.Request) {
		var asked struct{ Model string }
		_ = json.NewDecoder(q.Body).Decode(&asked)
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"text\":%q}]}\n\n", asked.Model)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-q.Context().Done():
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func content(url string, change map[string]any) string {
	m := map[string]any{"pool_id": "theirs", "replica_id": "r0", "engine": "tgi", "engine_version": "2.4.0", "url": url, "slots_total": 2, "model_ref": "theirs"}
	maps.Copy(m, change)
	for k, v := range change {
		if v == nil {
			delete(m, k)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// put writes a file as a provisioner should: beside its name, then renamed.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// newHandoffRig has a directory of its own, which only scan looks at.
func newHandoffRig(t *testing.T) (*rig, *handoffs, *testkit.Buffer) {
	t.Helper()
	r, log := startRig(t, nil), &testkit.Buffer{}
	h, err := openHandoffs(t.TempDir(), r.pools, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.releases.Wait)
	return r, h, log
}

func (h *handoffs) counted(o handoffOutcome) float64 {
	return testutil.ToFloat64(h.count.WithLabelValues(string(o)))
}

// TestAnEngineThatIsHandedOverIsServedAndNeverStopped goes the whole way, with the
// service's own watching.
func TestAnEngineThatIsHandedOverIsServedAndNeverStopped(t *testing.T) {
	r, release := startRig(t, nil), make(chan struct{})
	engine := foreign(t, release)
	dir := filepath.Join(r.dir.path, "engines")
	begin := time.Now()
	put(t, dir, "theirs.json", content(engine.URL, nil))
	testkit.Eventually(t, "the pool to be ready", func() bool {
		s, err := r.client.Status(t.Context(), "theirs")
		return err == nil && s.Ready
	})
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v to be seen", took)
	}
	s := r.status(t, "theirs")
	if s.Engine != "tgi" || s.SlotsTotal != 2 || s.ModelRef != "theirs" {
		t.Errorf("got %+v", s)
	}
	listed := false
	for _, p := range r.pools.list() {
		listed = listed || p.report().PoolID == "theirs" && p.report().Ready
	}
	if !listed {
		t.Error("a heartbeat would not list it")
	}
	for what, call := range map[string]func() error{
		"stop": func() error { _, err := r.client.Stop(t.Context(), "theirs"); return err },
		"reload": func() error {
			_, err := r.client.Reload(t.Context(), "theirs", nodeapi.ReloadRequest{ModelRef: "x"})
			return err
		},
		"preload": func() error {
			_, err := r.client.Preload(t.Context(), "theirs", nodeapi.PreloadRequest{Template: "demo"})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "POOL_HANDED_OFF") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The file goes while a task runs: it ends well, and nothing new is taken.
	stream, err := r.client.Dispatch(t.Context(), "theirs", nodeapi.DispatchRequest{Prompt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if event, err := stream.Next(); err != nil || event.Text != "theirs" {
		t.Fatalf("got %+v, %v, want the file's model", event, err)
	}
	if err := os.Remove(filepath.Join(dir, "theirs.json")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the pool to drain", func() bool { return r.status(t, "theirs").Draining })
	close(release)
	if event, err := stream.Next(); err != nil || event.Type != nodeapi.EventEnd {
		t.Errorf("the running task ended with %+v, %v", event, err)
	}
	testkit.Eventually(t, "the pool to be forgotten", func() bool { _, err := r.client.Status(t.Context(), "theirs"); return err != nil })
	if response, err := http.Get(engine.URL + "/v1/models"); err != nil || response.StatusCode != 200 {
		t.Errorf("the engine was stopped: %v", err)
	} else {
		response.Body.Close()
	}
}

func TestABadHandoffFileIsIsolatedAndNamedOnce(t *testing.T) {
	r, h, log := newHandoffRig(t)
	engine := foreign(t, nil)
	bad := map[string]string{
		"empty":       "",
		"half":        `{"pool_id":"a`,
		"list":        "[]",
		"null":        "null",
		"two":         content(engine.URL, nil) + "{}",
		"surplus":     content(engine.URL, map[string]any{"command": "rm -rf /"}),
		"capitals":    strings.Replace(content(engine.URL, nil), "pool_id", "Pool_ID", 1),
		"missing":     content(engine.URL, map[string]any{"slots_total": nil}),
		"kind":        content(engine.URL, map[string]any{"slots_total": "2"}),
		"pool-id":     content(engine.URL, map[string]any{"pool_id": "../x"}),
		"pool-id-2":   content(engine.URL, map[string]any{"pool_id": ""}),
		"replica":     content(engine.URL, map[string]any{"replica_id": "a b"}),
		"engine":      content(engine.URL, map[string]any{"engine": "TGI\n"}),
		"version":     content(engine.URL, map[string]any{"engine_version": "1\x00"}),
		"no-slots":    content(engine.URL, map[string]any{"slots_total": 0}),
		"slots":       content(engine.URL, map[string]any{"slots_total": maxSlots + 1}),
		"pid":         content(engine.URL, map[string]any{"pid": -1}),
		"mask":        content(engine.URL, map[string]any{"device_mask": "all"}),
		"model":       content(engine.URL, map[string]any{"model_ref": "-m"}),
		"model-up":    content(engine.URL, map[string]any{"model_ref": "file:../x"}),
		"remote":      content("http://10.0.0.1:80", nil),
		"remote-tls":  content("https://example.com", nil),
		"name":        content("http://127.0.0.1.example.com", nil),
		"credential":  content("http://u:p@127.0.0.1", nil),
		"path":        content("http://127.0.0.1/x", nil),
		"query":       content("http://127.0.0.1?x=1", nil),
		"scheme":      content("file:///etc/passwd", nil),
		"no-url":      content("", nil),
		"large":       content(engine.URL, map[string]any{"engine_version": strings.Repeat("x", maxHandoffBytes)}),
		"no-encoding": "\xff\xfe",
	}
	for name, text := range bad {
		put(t, h.dir, name+".json", text)
	}
	put(t, h.dir, "zz-good.json", content(engine.URL, nil))
	put(t, h.dir, ".hidden.json", content(engine.URL, map[string]any{"pool_id": "hidden"}))
	put(t, h.dir, "other.txt", "x")
	for range 3 {
		h.scan()
	}
	testkit.Eventually(t, "the good one to be ready", func() bool { return r.status(t, "theirs").Ready })
	for name := range bad {
		if n := strings.Count(log.String(), "file="+name+".json "); n != 1 {
			t.Errorf("%s is named %d times", name, n)
		}
	}
	if got := h.counted(handoffInvalid); got != float64(len(bad)) {
		t.Errorf("%v invalid files were counted, want %d", got, len(bad))
	}
	if h.counted(handoffAdopted) != 1 || len(h.serving) != 1 {
		t.Errorf("%v were served: %v", h.counted(handoffAdopted), h.serving)
	}
	// One is mended: it counts anew.
	put(t, h.dir, "half.json", content(engine.URL, map[string]any{"pool_id": "half"}))
	h.scan()
	if h.counted(handoffAdopted) != 2 {
		t.Error("a mended file is not served")
	}
}

func TestAHandoffFileThatOthersCouldHaveWrittenIsRefused(t *testing.T) {
	engine := foreign(t, nil)
	good := content(engine.URL, nil)
	plants := map[string]func(h *handoffs, path string) error{
		"written by the group": func(_ *handoffs, path string) error { return os.Chmod(path, 0o620) },
		"written by the world": func(_ *handoffs, path string) error { return os.Chmod(path, 0o602) },
		"a second name":        func(_ *handoffs, path string) error { return os.Link(path, path+".too") },
		"a link": func(_ *handoffs, path string) error {
			return replace(path, func() error { return os.Symlink(path+".real", path) })
		},
		"a FIFO": func(_ *handoffs, path string) error {
			return replace(path, func() error { return syscall.Mkfifo(path, 0o600) })
		},
		"a directory": func(_ *handoffs, path string) error {
			return replace(path, func() error { return os.Mkdir(path, 0o700) })
		},
		"a directory of others": func(h *handoffs, _ string) error { return os.Chmod(h.dir, 0o770) },
		"a directory above":     func(h *handoffs, _ string) error { return os.Chmod(filepath.Dir(h.dir), 0o777) },
		"a linked directory": func(h *handoffs, _ string) error {
			return replace(h.dir, func() error { return os.Symlink(h.dir+".real", h.dir) })
		},
	}
	if os.Getuid() == 0 { // the only user who can make a file of another one
		plants["a file of another user"] = func(_ *handoffs, path string) error { return os.Chown(path, 65534, -1) }
		plants["a directory of another user"] = func(h *handoffs, _ string) error { return os.Chown(h.dir, 65534, -1) }
		plants["a directory above of another user"] = func(h *handoffs, _ string) error { return os.Chown(filepath.Dir(h.dir), 65534, -1) }
	}
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			_, h, log := newHandoffRig(t)
			path := filepath.Join(h.dir, "a.json")
			put(t, h.dir, "a.json", good)
			h.scan()
			if len(h.serving) != 1 {
				t.Fatalf("the good one is not served:\n%s", log)
			}
			if err := plant(h, path); err != nil {
				t.Fatal(err)
			}
			h.scan()
			h.scan()
			if len(h.serving) != 0 {
				t.Error("it is still served")
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, log)
			}
			if strings.HasPrefix(name, "a directory ") || name == "a linked directory" {
				return
			}
			if h.counted(handoffUnsafe) != 1 {
				t.Errorf("%v counted as unsafe", h.counted(handoffUnsafe))
			}
		})
	}
}

// replace moves what is at path away and puts something else there.
func replace(path string, with func() error) error {
	if err := os.Rename(path, path+".real"); err != nil {
		return err
	}
	return with()
}

func TestAHandoffPoolCollidesWithNoOther(t *testing.T) {
	r, h, log := newHandoffRig(t)
	engine := foreign(t, nil)
	r.ready(t, "ours", "demo", "")
	r.ready(t, "stopped", "demo", "")
	if _, err := r.client.Stop(t.Context(), "stopped"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it to stop", func() bool { return r.status(t, "stopped").State == "stopped" })
	put(t, h.dir, "a.json", content(engine.URL, map[string]any{"pool_id": "ours"}))
	put(t, h.dir, "b.json", content(engine.URL, map[string]any{"pool_id": "stopped"}))
	put(t, h.dir, "c.json", content(engine.URL, nil))
	put(t, h.dir, "d.json", content(engine.URL, map[string]any{"replica_id": "r1"}))
	for range 3 {
		h.scan()
	}
	if h.counted(handoffCollision) != 3 || len(h.serving) != 1 {
		t.Errorf("%v collisions, serving %v\n%s", h.counted(handoffCollision), h.serving, log)
	}
	for _, id := range []string{"ours", "stopped"} {
		if s := r.status(t, id); s.Engine != "demo" {
			t.Errorf("%s was taken over: %+v", id, s)
		}
	}
	// What cannot be served does no harm when it goes.
	for _, name := range []string{"a.json", "b.json"} {
		if err := os.Remove(filepath.Join(h.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h.scan()
	if s := r.status(t, "ours"); !s.Ready {
		t.Errorf("ours: %+v", s)
	}
}

func TestAChangedHandoffFileIsServedAnew(t *testing.T) {
	r, h, _ := newHandoffRig(t)
	engine := foreign(t, nil)
	put(t, h.dir, "a.json", content(engine.URL, nil))
	h.scan()
	testkit.Eventually(t, "the first", func() bool { return r.status(t, "theirs").Ready })
	put(t, h.dir, "a.json", content(engine.URL, nil)) // the same again
	h.scan()
	if h.counted(handoffRemoved) != 0 {
		t.Error("the same contents took the pool away")
	}
	put(t, h.dir, "a.json", content(engine.URL, map[string]any{"slots_total": 7, "pid": 1}))
	testkit.Eventually(t, "the second", func() bool {
		h.scan()
		s, err := r.client.Status(t.Context(), "theirs")
		return err == nil && s.Ready && s.SlotsTotal == 7
	})
	if h.counted(handoffRemoved) != 1 {
		t.Errorf("%v removed", h.counted(handoffRemoved))
	}
	// A directory that goes takes its pools, and may come back.
	if err := os.Rename(h.dir, h.dir+".away"); err != nil {
		t.Fatal(err)
	}
	h.scan()
	if len(h.serving) != 0 {
		t.Error("a pool without a file is served")
	}
}

func TestOnlySoManyHandoffFilesAreRead(t *testing.T) {
	_, h, _ := newHandoffRig(t)
	for i := range maxHandoffFiles + 10 {
		put(t, h.dir, fmt.Sprintf("%04d.json", i), "x")
	}
	h.scan()
	if got := len(h.seen); got != maxHandoffFiles {
		t.Errorf("%d files were read", got)
	}
}

func TestAHandoffSpecSpeaksTheEnginesWay(t *testing.T) {
	for engine, want := range map[string]string{"llamacpp": "llamacpp /health", "vllm": "openai /health", "ollama": "openai /api/version", "tgi": "openai /v1/models"} {
		spec := handoff{Engine: engine, URL: "http://127.0.0.1:1/", SlotsTotal: 1, ModelRef: "catalog:m"}.spec()
		if got := string(spec.template.Dialect) + " " + spec.template.HealthPath; got != want || spec.template.URL != "http://127.0.0.1:1" || spec.model.name != "" {
			t.Errorf("%s: got %s, %+v", engine, got, spec)
		}
		if err := spec.template.Validate(); err != nil {
			t.Error(err)
		}
	}
}
