package clients_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager"
)

// pair is a file of testdata/pairs: a request as it was sent and as the engine saw it,
// and an answer as the engine sent it and as the client saw it. Its head says which
// engine that is, in which version, and where the shape was captured or read.
type pair struct {
	engine, version, source string // "captured", or "read" with file and line
	method, path            string
	status                  int
	kind                    string // content type of the engine's answer
	kindGot                 string // of the client's: one of a closed set; "": the engine's
	figures                 string // of the task's record; "": not looked at

	sent, seen, answered, got string
}

// pairModels is what each engine of a pair calls its model.
var pairModels = map[string]string{"llamacpp": "tiny-of-llamacpp", "vllm": "small-of-vllm", "sglang": "small-of-sglang", "ollama": "tiny:latest"}

// pairAsked is what clients call it: an alias, or Ollama's name without its tag.
func pairAsked(engine string) string {
	if engine == "ollama" {
		return "tiny"
	}
	return "asked-of-" + engine
}

// placeInSource is a file of an engine's source, with lines.
var placeInSource = regexp.MustCompile(`^read: [a-z0-9_/.-]+\.(py|cpp|go):\d+`)

// readPair reads a file. Requests and whole answers have no line feed at their end.
func readPair(t *testing.T, path string) (p pair) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]*string{"engine": &p.engine, "version": &p.version, "source": &p.source, "type": &p.kind, "type_got": &p.kindGot, "figures": &p.figures}
	for line := range strings.Lines(string(archive.Comment)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch place, known := places[name]; {
		case known:
			*place = value
		case name == "route":
			p.method, p.path, _ = strings.Cut(value, " ")
		case name == "status":
			p.status, err = strconv.Atoi(value)
		case name != "":
			t.Fatalf("%s: what is %q?", path, line)
		}
	}
	whole := !strings.Contains(p.kind, "event-stream") && !strings.Contains(p.kind, "ndjson")
	for _, f := range archive.Files {
		text := string(f.Data)
		if whole || f.Name == "sent" || f.Name == "seen" {
			text = strings.TrimSuffix(text, "\n")
		}
		switch f.Name {
		case "sent":
			p.sent = text
		case "seen":
			p.seen = text
		case "answered":
			p.answered = text
		case "got":
			p.got = text
		default:
			t.Fatalf("%s: what is %q?", path, f.Name)
		}
	}
	if err != nil || pairModels[p.engine] == "" || p.version == "" || p.source == "" || p.status == 0 || p.sent == "" || p.answered == "" {
		t.Fatalf("%s: it lacks something: %+v, %v", path, p, err)
	}
	if p.source != "captured" && !placeInSource.MatchString(p.source) {
		t.Errorf("%s: the source is neither captured nor a place in the engine's source: %q", path, p.source)
	}
	return p
}

// player plays the engines of pairs: it gives the answer of the pair that is tried and
// keeps the request that it got.
type player struct {
	now  pair
	seen string
}

func (p *player) engine(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/v1/models":
			fmt.Fprintf(w, `{"object":"list","data":[{"id":%q}]}`, pairModels[name])
		case err != nil || p.now.engine != name || r.Method+r.URL.Path != p.now.method+p.now.path:
			http.Error(w, `{"error":"not the call of the pair"}`, http.StatusTeapot)
		default:
			p.seen = string(body)
			w.Header().Set("Content-Type", p.now.kind)
			w.WriteHeader(p.now.status)
			_, _ = io.WriteString(w, p.now.answered) // a client that is gone fails the test itself
		}
	}
}

// startPairs runs an orchestrator and a pool manager with a pool for each engine.
func startPairs(t *testing.T, play *player) site {
	t.Helper()
	token, node := authmin.RandomSecret(), authmin.RandomSecret()
	quiet := slog.New(slog.DiscardHandler)
	o, err := app.Start(t.Context(), app.Options{Listen: "127.0.0.1:0", StateDir: t.TempDir(), Token: token, UpstreamToken: authmin.RandomSecret(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	s := site{base: "http://" + o.Addr(), user: token.Reveal()}
	s.admin.Base, s.admin.Token = s.base, s.user
	options := poolmanager.Options{
		Listen: "127.0.0.1:0", RuntimeDir: t.TempDir(), NodeID: "pairs", OrchestratorURL: s.base,
		OrchestratorToken: func() authmin.Secret { return token }, DispatchToken: node, Token: node, UpstreamToken: authmin.RandomSecret(), Log: quiet,
	}
	for name, model := range pairModels {
		server := httptest.NewServer(play.engine(name))
		t.Cleanup(server.Close)
		template := poolmanager.URLTemplate(server.URL)
		template.Name, template.Engine, template.Workloads = name, name, []string{"completion", "embedding"}
		options.Templates = append(options.Templates, template)
		options.Preload = append(options.Preload, poolmanager.Preload{PoolID: name, Template: name})
		if name == "ollama" {
			continue
		}
		entry := fmt.Sprintf(`{"id":%q,"digest":"sha256:%064d","source_url":"file:x","aliases":[%q]}`, model, 0, pairAsked(name))
		if answer, err := s.admin.Do("POST", "/v2/catalog/models", entry); err != nil || answer.Status != http.StatusCreated {
			t.Fatalf("the catalog: %+v, %v", answer, err)
		}
	}
	p, err := poolmanager.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("stopping the pool manager: %v", err)
		}
	})
	testkit.Eventually(t, "the pools to be there", func() bool { // the others' models are in the catalog, and their calls wait
		answer, err := s.admin.Do("GET", "/v1/models", "")
		return err == nil && strings.Contains(string(answer.Body), pairModels["ollama"])
	})
	return s
}

// TestPairsOfRequestsAndAnswers compares bytes: nothing of an engine's own request or
// answer changes but what the file shows.
func TestPairsOfRequestsAndAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/pairs/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	play := &player{}
	s := startPairs(t, play)
	of := map[string]int{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			p := readPair(t, file)
			of[p.engine]++
			s.tryPair(t, play, p)
		})
	}
	for name := range pairModels {
		if of[name] < 4 {
			t.Errorf("%d pairs of %s, want 4 at least", of[name], name)
		}
	}
}

func (s site) tryPair(t *testing.T, play *player, p pair) {
	t.Helper()
	play.now, play.seen = p, ""
	r, err := http.NewRequestWithContext(t.Context(), p.method, s.base+p.path, strings.NewReader(p.sent))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.user)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != p.status || res.Header.Get("Content-Type") != cmp.Or(p.kindGot, p.kind) {
		t.Errorf("%d %q, %v, want %d %q", res.StatusCode, res.Header.Get("Content-Type"), err, p.status, cmp.Or(p.kindGot, p.kind))
	}
	if diff := gocmp.Diff(p.seen, play.seen); diff != "" {
		t.Errorf("the request (-want +as the engine saw it):\n%s", diff)
	}
	if diff := gocmp.Diff(p.got, string(text)); diff != "" {
		t.Errorf("the answer (-want +as the client saw it):\n%s", diff)
	}
	if p.figures == "" {
		return
	}
	testkit.Within(t, limit, "the figures of the record", func() error {
		got, err := s.record(res.Header.Get("X-Task-Id"))
		if figures := fmt.Sprintf("%d in, %d out, %d cached, %d reasoning", got.TokensIn, got.TokensOut, got.CachedIn, got.ReasoningOut); err == nil && figures != p.figures {
			err = fmt.Errorf("%s, want %s", figures, p.figures)
		}
		return err
	})
}
