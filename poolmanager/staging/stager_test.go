package staging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// stagingRig is a catalog, a source and a Stager over real HTTP.
type stagingRig struct {
	*Stager
	log     *testkit.Buffer
	bytes   []byte
	hex     string
	catalog *httptest.Server
	source  *httptest.Server
	token   authmin.Secret

	mu       sync.Mutex
	models   map[string]map[string]any
	serve    http.HandlerFunc // the source's manners
	asked    []string         // Range headers that reached the source
	leaked   []string         // credentials that reached the source
	sent     atomic.Int64
	lookedUp atomic.Int64
}

var quickStaging = timings{retryFirst: time.Millisecond, stall: 2 * time.Second, poll: time.Millisecond, progress: time.Millisecond, badFor: time.Minute}

func newStagingRig(t *testing.T, size int, change func(*Options)) *stagingRig {
	t.Helper()
	r := &stagingRig{log: &testkit.Buffer{}, bytes: make([]byte, size), token: authmin.RandomSecret(), models: map[string]map[string]any{}}
	random := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = random.Read(r.bytes)
	sum := sha256.Sum256(r.bytes)
	r.hex = hex.EncodeToString(sum[:])
	r.source = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.asked = append(r.asked, q.Header.Get("Range"))
		for _, name := range []string{"Authorization", "Cookie", "Referer", "X-Auth-Identity"} {
			r.leaked = append(r.leaked, q.Header.Values(name)...)
		}
		serve := r.serve
		r.mu.Unlock()
		if serve == nil {
			serve = r.serveWell
		}
		serve(&countingWriter{ResponseWriter: w, sent: &r.sent}, q)
	}))
	t.Cleanup(func() { r.source.CloseClientConnections(); r.source.Close() }) // a failed test leaves requests
	r.catalog = httptest.NewServer(http.HandlerFunc(r.answerCatalog))
	t.Cleanup(r.catalog.Close)
	o := Options{
		Root: t.TempDir(), Hosts: []string{r.source.URL},
		Catalog: catalogAt(t, r.catalog.URL, func() authmin.Secret { return r.token }), Log: slog.New(slog.NewTextHandler(r.log, nil)), times: quickStaging,
	}
	if change != nil {
		change(&o)
	}
	r.Stager = New(o)
	r.enter("m", nil)
	return r
}

// catalogAt asks the orchestrator at an address.
func catalogAt(t *testing.T, url string, token func() authmin.Secret) func(context.Context, string) (nodeapi.Model, error) {
	o := nodeapi.NewOrchestrator(url, token, nil)
	t.Cleanup(o.CloseIdle)
	return o.CatalogModel
}

type countingWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.sent.Add(int64(n))
	return n, err
}

func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// enter puts a model into the catalog.
func (r *stagingRig) enter(id string, change map[string]any) {
	m := map[string]any{"id": id, "digest": "sha256:" + r.hex, "source_url": r.source.URL + "/m.gguf", "state": "Active", "verification": map[string]any{"status": "unverified"}}
	for k, v := range change {
		m[k] = v
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.models[id] = m
}

func (r *stagingRig) manners(serve http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serve = serve
}

func (r *stagingRig) answerCatalog(w http.ResponseWriter, q *http.Request) {
	r.lookedUp.Add(1)
	if q.Header.Get("Authorization") != "Bearer "+r.token.Reveal() {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.models[strings.TrimPrefix(q.URL.Path, "/v2/catalog/models/")]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(m)
}

func (r *stagingRig) serveWell(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	http.ServeContent(w, q, "m.gguf", time.Unix(1700000000, 0), bytes.NewReader(r.bytes))
}

// checkStaged holds the staged file against the source, and the directory
// against what must not be left.
func (r *stagingRig) checkStaged(t *testing.T, path string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("staging: %v\n%s", err, r.log)
	}
	if want := filepath.Join(r.Root, "sha256-"+r.hex); path != want {
		t.Errorf("got %s, want %s", path, want)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, r.bytes) {
		t.Errorf("the staged file has %d other bytes, %v", len(got), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	r.noPartials(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.leaked) > 0 {
		t.Errorf("the source was sent %q", r.leaked)
	}
}

func (r *stagingRig) noPartials(t *testing.T) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(r.stagingDir(), "*.part")); len(left) > 0 {
		t.Errorf("partial files are left: %v", left)
	}
}

func (r *stagingRig) notStaged(t *testing.T, err error, want error) {
	t.Helper()
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if _, err := os.Lstat(r.finalPath(r.hex)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the final name is there: %v", err)
	}
}

func TestAModelOfTheCatalogIsStagedOnce(t *testing.T) {
	r := newStagingRig(t, 3<<20, nil)
	var seen [][2]int64
	path, err := r.Stage(t.Context(), "catalog:m", func(done, total int64) { seen = append(seen, [2]int64{done, total}) })
	r.checkStaged(t, path, err)
	if last := seen[len(seen)-1]; last != [2]int64{3 << 20, 3 << 20} {
		t.Errorf("progress ended with %v", last)
	}
	again, err := r.Stage(t.Context(), "catalog:m", nil)
	if err != nil || again != path {
		t.Errorf("again: %s, %v", again, err)
	}
	if sent := r.sent.Load(); sent != 3<<20 {
		t.Errorf("the source sent %d bytes for two requests", sent)
	}
	if info, err := os.Stat(r.stagingDir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("staging directory: %v, %v", info.Mode(), err)
	}
}

func TestAFileIsOnlyLookedUp(t *testing.T) {
	r := newStagingRig(t, 10, nil)
	want := filepath.Join(r.Root, "a.gguf")
	if err := os.WriteFile(want, []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if path, err := r.Stage(t.Context(), "file:a.gguf", nil); err != nil || path != want {
		t.Errorf("got %s, %v", path, err)
	}
	if _, err := r.Stage(t.Context(), "file:../a", nil); !errors.Is(err, modelref.ErrRef) {
		t.Errorf("a way up: %v", err)
	}
	if r.lookedUp.Load() > 0 {
		t.Error("the catalog was asked about a file")
	}
}

// TestADownloadCutAtAnyPlaceIsResumed: every answer ends after some random bytes.
func TestADownloadCutAtAnyPlaceIsResumed(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newStagingRig(t, 1<<20+int(seed), nil)
			random := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			r.manners(func(w http.ResponseWriter, q *http.Request) {
				mu.Lock()
				keep := 1 + random.IntN(1<<18)
				mu.Unlock()
				r.serveWell(&cutWriter{ResponseWriter: w, keep: keep}, q)
			})
			path, err := r.Stage(t.Context(), "catalog:m", nil)
			r.checkStaged(t, path, err)
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.asked) < 4 {
				t.Errorf("only %d requests: nothing was cut", len(r.asked))
			}
			t.Logf("%d requests, %d bytes written by the source for %d", len(r.asked), r.sent.Load(), len(r.bytes))
		})
	}
}

// cutWriter hangs up after some bytes.
type cutWriter struct {
	http.ResponseWriter
	keep int
}

func (w *cutWriter) Write(b []byte) (int, error) {
	if len(b) > w.keep {
		_, _ = w.ResponseWriter.Write(b[:w.keep])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	w.keep -= len(b)
	return w.ResponseWriter.Write(b)
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestManyCallersShareOneDownloadAndEachMayLeave(t *testing.T) {
	r := newStagingRig(t, 1<<20, nil)
	r.enter("other-name", nil)
	begun, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.manners(func(w http.ResponseWriter, q *http.Request) {
		once.Do(func() { close(begun) })
		select {
		case <-gate:
		case <-q.Context().Done():
		}
		r.serveWell(w, q)
	})
	var group sync.WaitGroup
	impatient, leave := context.WithCancel(t.Context())
	for i := range 20 {
		ctx, ref := t.Context(), "catalog:m"
		if i%2 == 0 {
			ref = "catalog:other-name"
		}
		if i < 10 {
			ctx = impatient
		}
		group.Go(func() {
			path, err := r.Stage(ctx, ref, nil)
			if i < 10 && !errors.Is(err, context.Canceled) {
				t.Errorf("a caller who left: %s, %v", path, err)
			}
			if i >= 10 && err != nil {
				t.Errorf("a caller who stayed: %v", err)
			}
		})
	}
	testkit.Receive(t, begun, "the engine's call")
	testkit.Eventually(t, "all to wait", func() bool {
		r.Stager.mu.Lock()
		defer r.Stager.mu.Unlock()
		f := r.flights[r.hex]
		return f != nil && f.waiters == 20
	})
	leave()
	testkit.Eventually(t, "half to leave", func() bool {
		r.Stager.mu.Lock()
		defer r.Stager.mu.Unlock()
		return r.flights[r.hex].waiters == 10
	})
	close(gate)
	group.Wait()
	if sent := r.sent.Load(); sent != 1<<20 {
		t.Errorf("the source sent %d bytes for twenty callers", sent)
	}
}

func TestADownloadWithoutWaitersIsCancelled(t *testing.T) {
	r := newStagingRig(t, 1<<20, func(o *Options) { o.times.stall = time.Hour })
	gone := make(chan struct{})
	begun := make(chan struct{})
	r.manners(func(w http.ResponseWriter, q *http.Request) {
		r.serveWell(&cutAfter{w, 1000, func() { close(begun); <-q.Context().Done(); close(gone) }}, q)
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := r.Stage(ctx, "catalog:m", nil); ended <- err }()
	testkit.Receive(t, begun, "the engine's call")
	testkit.Eventually(t, "the first bytes to be written", func() bool {
		r.Stager.mu.Lock()
		defer r.Stager.mu.Unlock()
		return r.flights[r.hex].done.Load() == 1000
	})
	cancel()
	r.notStaged(t, testkit.Receive(t, ended, "the end"), context.Canceled)
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the source still sends")
	}
	r.manners(nil)
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) != 2 || r.asked[1] != "bytes=1000-" {
		t.Errorf("ranges asked for: %q, want a resume at 1000", r.asked)
	}
}

// cutAfter sends some bytes, then does something and hangs up.
type cutAfter struct {
	http.ResponseWriter
	keep int
	then func()
}

func (w *cutAfter) Write(b []byte) (int, error) {
	_, _ = w.ResponseWriter.Write(b[:w.keep])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	w.then()
	panic(http.ErrAbortHandler)
}
