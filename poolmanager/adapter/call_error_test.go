package adapter_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// callKey is what the engines of these tests want.
const callKey = "engine-key-0123456789-abcdefghij"

// callEngine makes one call to an engine that answers like that.
func callEngine(t *testing.T, c adapter.Call, answer http.HandlerFunc) (frames []byte, got adapter.Answer, err error) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	target := adapter.Target{Base: server.URL, Key: authmin.NewSecret(callKey)}
	got, err = target.Call(t.Context(), server.Client(), c, func(p []byte, _ bool) error {
		frames = append(frames, p...)
		return nil
	})
	return append(frames, got.Rest...), got, err
}

func operation(t *testing.T, name string) nodeapi.Operation {
	t.Helper()
	op, ok := nodeapi.FindOperation(name)
	if !ok {
		t.Fatal(name)
	}
	return op
}

func TestARefusalKeepsItsClass(t *testing.T) {
	for status, want := range map[int]adapter.Class{
		300: adapter.ClassRefused, 301: adapter.ClassRefused, 307: adapter.ClassRefused,
		401: adapter.ClassRefused, 403: adapter.ClassRefused, 407: adapter.ClassRefused,
		400: adapter.ClassRejected, 404: adapter.ClassRejected, 405: adapter.ClassRejected, 409: adapter.ClassRejected, 413: adapter.ClassRejected,
		415: adapter.ClassRejected, 422: adapter.ClassRejected, 451: adapter.ClassRejected, 501: adapter.ClassRejected,
		429: adapter.ClassBusy, 503: adapter.ClassBusy, 529: adapter.ClassBusy,
		500: adapter.ClassFailed, 502: adapter.ClassFailed, 504: adapter.ClassFailed, 505: adapter.ClassFailed,
	} {
		for _, name := range []string{"chat", "completions", "responses", "messages", "embeddings", "rerank", "ollama-chat"} {
			for _, stream := range []bool{false, true} {
				_, _, err := callEngine(t, adapter.Call{Operation: operation(t, name), Stream: stream}, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.Header().Set("Openai-Version", "1")
					w.Header().Set("Set-Cookie", "a=b")
					w.WriteHeader(status)
					io.WriteString(w, `{"error":{"message":"too long for `+callKey+`","code":"context_length_exceeded"}}`)
				})
				got, ok := errors.AsType[*adapter.Error](err)
				if !ok || got.Class != want || got.Response == nil {
					t.Fatalf("%s, %d: got %v, want %s", name, status, err, want)
				}
				if want == adapter.ClassRefused {
					if got.Response.Status != 502 || got.Response.Body != nil || strings.Contains(got.Message, "too long") {
						t.Errorf("%s, %d: got %+v %+v, want 502 and words of our own", name, status, got, got.Response)
					}
					continue
				}
				r := got.Response
				if r.Status != status || r.ContentType != "application/json" || r.Header["Openai-Version"] != "1" || len(r.Header) != 1 ||
					string(r.Body) != `{"error":{"message":"too long for [redacted]","code":"context_length_exceeded"}}` {
					t.Errorf("%s, %d: got %+v %s", name, status, r, r.Body)
				}
			}
		}
	}
}

func TestABusyEngineSaysWhenACallMayComeAgain(t *testing.T) {
	_, _, err := callEngine(t, adapter.Call{Operation: operation(t, "chat")}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
		io.WriteString(w, `{"error":"queue is full"}`)
	})
	if got, ok := errors.AsType[*adapter.Error](err); !ok || got.Class != adapter.ClassBusy || got.RetryAfter != 7*time.Second || got.Response.Header["Retry-After"] != "7" {
		t.Errorf("got %+v", err)
	}
}

func TestARefusalIsBounded(t *testing.T) {
	_, _, err := callEngine(t, adapter.Call{Operation: operation(t, "chat")}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(500)
		io.WriteString(w, strings.Repeat("word ", 100_000))
	})
	got, ok := errors.AsType[*adapter.Error](err)
	if !ok || len(got.Response.Body) > 64<<10 || got.Response.ContentType != "application/octet-stream" || len(got.Message) > 500 {
		t.Errorf("got %d bytes as %s", len(got.Response.Body), got.Response.ContentType)
	}
}

// answers closes the connection at some moment.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestALostConnectionHasAClass(t *testing.T) {
	chat := adapter.Call{Operation: operation(t, "chat"), Stream: true}
	for moment, c := range map[string]struct {
		answer http.HandlerFunc
		want   adapter.Class
	}{
		"before the answer": {func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, adapter.ClassReset},
		"before the first event": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			hangUp(w)
		}, adapter.ClassReset},
		"between events": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, `data: {"choices":[{"delta":{"content":"a"}}]}`+"\n\n")
			http.NewResponseController(w).Flush()
			hangUp(w)
		}, adapter.ClassReset},
	} {
		_, got, err := callEngine(t, chat, c.answer)
		failed, ok := errors.AsType[*adapter.Error](err)
		if !ok || failed.Class != c.want || failed.Response != nil || len(got.Rest) != 0 {
			t.Errorf("%s: got %v, want %s", moment, err, c.want)
		}
	}
	server := httptest.NewServer(nil)
	server.Close()
	_, err := adapter.Target{Base: server.URL}.Call(t.Context(), http.DefaultClient, chat, nil)
	if failed, ok := errors.AsType[*adapter.Error](err); !ok || failed.Class != adapter.ClassUnavailable {
		t.Errorf("no connection: got %v, want %s", err, adapter.ClassUnavailable)
	}
}

func TestAnEncodedAnswerIsDecoded(t *testing.T) {
	const text = `{"choices":[]}`
	var zipped, deflated bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, text)
	z.Close()
	d := zlib.NewWriter(&deflated)
	io.WriteString(d, text)
	d.Close()
	for encoding, body := range map[string][]byte{"gzip": zipped.Bytes(), "deflate": deflated.Bytes(), "identity": []byte(text), "br": []byte("x")} {
		frames, _, err := callEngine(t, adapter.Call{Operation: operation(t, "chat")}, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("Accept-Encoding: got %q", got)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", encoding)
			w.Write(body)
		})
		if encoding == "br" {
			if err == nil || !strings.Contains(err.Error(), "br") {
				t.Errorf("br: got %v", err)
			}
			continue
		}
		if err != nil || !bytes.HasSuffix(frames, []byte(text)) {
			t.Errorf("%s: got %q, %v", encoding, frames, err)
		}
	}
}

func TestACallThatIsEndedGivesTheCause(t *testing.T) {
	hungUp := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"choices":[{"delta":{"content":"a"}}]}`+"\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(hungUp)
	}))
	defer server.Close()
	cause := errors.New("the slot is taken away")
	ctx, cancel := context.WithCancelCause(t.Context())
	got, err := adapter.Target{Base: server.URL}.Call(ctx, server.Client(), adapter.Call{Operation: operation(t, "chat"), Stream: true},
		func([]byte, bool) error { cancel(cause); return nil })
	if !errors.Is(err, cause) || got.End.TokensOut != 1 {
		t.Errorf("got %v, %+v, want %v and one token", err, got.End, cause)
	}
	testkit.Receive(t, hungUp, "the end of the engine's call")
	want := errors.New("the caller is gone")
	chat := `data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n"
	server2 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, strings.Repeat(chat, 3))
	}))
	defer server2.Close()
	if _, err := (adapter.Target{Base: server2.URL}).Call(t.Context(), server2.Client(), adapter.Call{Operation: operation(t, "chat"), Stream: true},
		func([]byte, bool) error { return want }); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestALongAnswerInOnePieceIsNoStall: whether the engine works is seen with it only.
func TestALongAnswerInOnePieceIsNoStall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	target := adapter.Target{Base: server.URL, Limits: adapter.Limits{FirstToken: 30 * time.Millisecond}}
	for name, want := range map[string]bool{"chat": false, "ollama-generate": false, "embeddings": true, "rerank": true} {
		_, err := target.Call(t.Context(), server.Client(), adapter.Call{Operation: operation(t, name)}, nil)
		if got, ok := errors.AsType[*adapter.Error](err); !ok || got.Class != adapter.ClassReset || got.Stalled != want {
			t.Errorf("%s: got %+v, want stalled %v", name, err, want)
		}
	}
}

func TestAnEngineThatStallsEndsItsCall(t *testing.T) {
	for name, answer := range map[string]string{
		"headers alone": "", "a role alone": `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n", "comments": ": hi\n\n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, answer)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}))
		target := adapter.Target{Base: server.URL, Limits: adapter.Limits{FirstToken: 50 * time.Millisecond, BetweenTokens: time.Minute}}
		_, err := target.Call(t.Context(), server.Client(), adapter.Call{Operation: operation(t, "chat"), Stream: true}, func([]byte, bool) error { return nil })
		server.Close()
		if got, ok := errors.AsType[*adapter.Error](err); !ok || !got.Stalled || !strings.Contains(got.Message, "first_token_limit_ms") {
			t.Errorf("%s: got %v, want a stall", name, err)
		}
	}
}
