package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
)

// bodyOf is a chat of that many bytes and some more, not written as encoding/json would,
// and with a member that only another protocol has a meaning for.
func bodyOf(size int) string {
	return "{ \"model\" : \"demo\",\t\"stream\":true,\n\"n\":1.50e0,\"background\":true,\"messages\":[{\"content\":\"" + strings.Repeat("äx\\u00e4", size/9) + "\"}] }"
}

// TestATaskTakesALargeNativeBody: its bytes reach the pool as they were sent.
func TestATaskTakesALargeNativeBody(t *testing.T) {
	s := serve(t, Options{})
	seen := make(chan string, 1)
	s.engine("n", 1, func(out frames, _ *http.Request, body string) { seen <- digest(body); out.hello() })
	large, small := bodyOf(20<<20), bodyOf(2<<20)
	for name, c := range map[string]struct {
		body, task string
		unknown    bool // its length
	}{
		"20 MiB":             {large, `{"native":{"protocol":"chat","body":` + large + `},"priority":"batch"}`, false},
		"the protocol last":  {small, `{ "priority":"batch", "native" : { "body" :` + small + " ,\n\"protocol\":\"chat\"}}\n", false},
		"of no known length": {small, `{"native":{"body":` + small + `,"protocol":"chat"},"priority":"batch"}`, true},
		"small, likewise":    {bodyOf(9), `{"native":{"body":` + bodyOf(9) + `,"protocol":"chat"},"priority":"batch"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			var text io.Reader = strings.NewReader(c.task)
			if c.unknown {
				text = io.MultiReader(text)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v2/tasks", text)
			if err != nil {
				t.Fatal(err)
			}
			res, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var a orchestrator.Admission
			if err := json.NewDecoder(res.Body).Decode(&a); err != nil || res.StatusCode != http.StatusAccepted {
				t.Fatalf("got %s, %v", res.Status, err)
			}
			if got, want := testkit.Receive(t, seen, "the engine's request"), digest(c.body); got != want {
				t.Errorf("the pool got a body with the digest %s, want %s", got, want)
			}
			if got := s.want(200, "GET", "/v2/tasks/"+a.TaskID+"/events", ""); !strings.Contains(got, "hello") || !strings.Contains(got, "event: end") {
				t.Errorf("events: got %s", got)
			}
			if task, err := s.o.Task(orchestrator.Who{Identity: "ci"}, a.TaskID); err != nil || task.Priority != orchestrator.Batch || task.ModelRef != "demo" {
				t.Errorf("record: got %+v, %v", task, err)
			}
		})
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestALargeTaskThatIsRefusedLeavesNothing: no piece of it, and none of its identity's
// share, which has no room for two of them.
func TestALargeTaskThatIsRefusedLeavesNothing(t *testing.T) {
	s := serveWith(t, Options{}, orchestrator.Settings{RequestBytes: 3 << 20, ContentBytes: 4 << 20})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	body, filler := bodyOf(2<<20), strings.Repeat("x", 2<<20)
	chatOf := func(body string) string { return `"native":{"protocol":"chat","body":` + body + `}` }
	for task, want := range map[string]string{
		`{` + chatOf(bodyOf(4<<20)) + `}`:                                      "413 BODY_TOO_LARGE",
		`{"model_ref":"demo","prompt":"` + filler + `"}`:                       "413 BODY_TOO_LARGE",
		`{` + chatOf(body) + `,"prompt":"` + filler + `"}`:                     "413 BODY_TOO_LARGE",
		`{` + chatOf(body) + `,"prompt":"x"}`:                                  "422 INVALID_TASK",
		`{` + chatOf(body) + `,"model_ref":"other"}`:                           "422 INVALID_TASK",
		`{` + chatOf(body) + `,"priority":"urgent"}`:                           "422 INVALID_FIELD",
		`{` + chatOf(body) + `,"unknown":1}`:                                   "422 INVALID_FIELD",
		`{"native":{"body":` + body + `}}`:                                     "422 INVALID_FIELD",
		`{"native":{"body":` + body + `,"protocol":"smoke"}}`:                  "422 INVALID_FIELD",
		`{` + chatOf(strings.Replace(body, "demo", "other", 1)) + `}`:          "404 MODEL_NOT_AVAILABLE",
		`{` + chatOf(strings.Replace(body, `"model"`, `"x"`, 1)) + `}`:         "400 MODEL_MISSING",
		`{` + chatOf(strings.Replace(body, `"n"`, `"model"`, 1)) + `}`:         "400 MEMBER_AMBIGUOUS",
		`{` + chatOf(strings.Replace(body, `"n"`, `n`, 1)) + `}`:               "400 INVALID_JSON",
		`{` + chatOf(`"`+filler+`"`) + `}`:                                     "400 INVALID_JSON",
		`{` + chatOf(body):                                                     "400 INVALID_JSON",
		`{` + chatOf(body) + `} x`:                                             "400 INVALID_JSON",
		`{` + chatOf(strings.TrimSuffix(body, `"}] }`)):                        "400 INVALID_JSON",
		`{` + chatOf(body) + `,` + chatOf(`{}`) + `}`:                          "400 MEMBER_AMBIGUOUS",
		`{` + chatOf(body) + `,"native":null}`:                                 "400 MEMBER_AMBIGUOUS",
		`{` + chatOf(body) + `,"Native":null}`:                                 "400 MEMBER_AMBIGUOUS",
		`{"native":{"body":{},"b\u006fdy":` + body + `,"protocol":"chat"}}`:    "400 MEMBER_AMBIGUOUS",
		`{"native":{"body":` + body + `,"protocol":"chat","body":{}}}`:         "400 MEMBER_AMBIGUOUS",
		`{` + chatOf(bodyOf(9)) + `,` + chatOf(bodyOf(9)) + `}`:                "400 MEMBER_AMBIGUOUS", // as small ones are
		`{"model_ref":"demo","prompt":"x",` + chatOf("{}") + `,"native":null}`: "400 MEMBER_AMBIGUOUS",
	} {
		status, code, _ := strings.Cut(want, " ")
		res := s.send(t.Context(), "POST", "/v2/tasks", task)
		text, err := io.ReadAll(res.Body)
		early := status != "413" || strings.Contains(string(text), "beside native.body") || strings.Contains(string(text), "3145728")
		if err != nil || fmt.Sprint(res.StatusCode) != status || !strings.Contains(string(text), `"code":"`+code+`"`) || !early {
			t.Errorf("%.60s…%s: got %d %s, %v, want %s", task, task[max(0, len(task)-40):], res.StatusCode, text, err, want)
		}
		if ids, err := s.store.Content().IDs(t.Context()); err != nil || len(ids) > 0 {
			t.Errorf("%.60s…%s: bodies are left: %v, %v", task, task[max(0, len(task)-40):], ids, err)
		}
	}
	if got := s.cut(`{` + chatOf(body)); !strings.Contains(got, " 400 ") || !strings.Contains(got, `"code":"BODY_CUT"`) {
		t.Errorf("a body that was cut: got %s", got)
	}
	s.want(202, "POST", "/v2/tasks", `{`+chatOf(bodyOf(5<<19))+`}`)
	testkit.Eventually(t, "no body is left", func() bool {
		ids, err := s.store.Content().IDs(t.Context())
		return err == nil && len(ids) == 0 && s.api.streams.Total() == 0
	})
}

// cut sends the beginning of a larger task, and gives the answer.
func (s *served) cut(begin string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		s.t.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "POST /v2/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(begin)+99, begin)
	if err == nil {
		err = c.(*net.TCPConn).CloseWrite()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	text, _ := io.ReadAll(c)
	return string(text)
}

// TestALargeTaskIsReadForThoseWhoMaySendIt only.
func TestALargeTaskIsReadForThoseWhoMaySendIt(t *testing.T) {
	s := serve(t, Options{})
	sent := strings.NewReader(`{"native":{"protocol":"chat","body":` + bodyOf(2<<20) + `}}`)
	size := sent.Len()
	r := httptest.NewRequest(http.MethodPost, "/v2/tasks", sent)
	w := httptest.NewRecorder()
	s.api.Handler().ServeHTTP(w, r.WithContext(backend.WithCaller(r.Context(), backend.Caller{Name: "n", Scopes: []authmin.Scope{authmin.ScopeNodes}})))
	if w.Code != http.StatusForbidden || sent.Len() != size {
		t.Errorf("got %d, and %d bytes were read", w.Code, size-sent.Len())
	}
}

// TestLargeTasksAreReceivedInPieces receives eight of 30 MiB at once: each needs a few
// pieces, and the store's blocks are there once.
func TestLargeTasksAreReceivedInPieces(t *testing.T) {
	const (
		tasks  = 8
		size   = 30 << 20
		most   = 120 << 20
		sample = 10 * time.Millisecond
	)
	s := serve(t, Options{})
	s.engine("n", 0, func(frames, *http.Request, string) {}) // without a slot: none is dispatched
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	before, peak := memory.HeapInuse, uint64(0)
	var sending sync.WaitGroup
	for range tasks {
		sending.Go(func() {
			text := io.MultiReader(strings.NewReader(`{"native":{"body":{"model":"demo","x":"`), io.LimitReader(letters{}, size), strings.NewReader(`"},"protocol":"chat"}}`))
			res, err := s.Client().Post(s.URL+"/v2/tasks", "application/json", text)
			if err != nil {
				t.Error(err)
				return
			}
			if res.Body.Close(); res.StatusCode != http.StatusAccepted {
				t.Errorf("got %s", res.Status)
			}
		})
	}
	sent := make(chan struct{})
	go func() { defer close(sent); sending.Wait() }()
	ticker := time.NewTicker(sample)
	defer ticker.Stop()
	for receiving := true; receiving; {
		select {
		case <-sent:
			receiving = false
		case <-ticker.C:
		}
		runtime.ReadMemStats(&memory)
		peak = max(peak, memory.HeapInuse)
	}
	t.Logf("the heap grew from %d to %d MiB", before>>20, peak>>20)
	if peak > before+most {
		t.Errorf("the heap grew by %d MiB for bodies of %d MiB, want at most %d", (peak-before)>>20, tasks*size>>20, most>>20)
	}
}

// letters is an endless text, of which none is in memory.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
