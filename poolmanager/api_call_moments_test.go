package poolmanager

import (
	"bufio"

	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// endless is a streamed chat of a demo engine that goes on for a while.
func endless() nodeapi.CallRequest {
	r := request("chat", `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":60000,"stream":true}`)
	r.ModelRef, r.Stream = "demo", true
	return r
}

// firstData begins a call and reads its head and first data.
func firstData(t *testing.T, ctx context.Context, r *rig, q nodeapi.CallRequest) *nodeapi.CallStream {
	t.Helper()
	stream, err := r.client.Call(ctx, "p", q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	for _, want := range []nodeapi.FrameKind{nodeapi.FrameHead, nodeapi.FrameData} {
		if f, err := stream.Next(); err != nil || f.Kind != want {
			t.Fatalf("got %c %s, %v, want %c", f.Kind, f.Payload, err, want)
		}
	}
	return stream
}

func TestHangingUpEndsACallInTheEngineToo(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates[0].Slots = 1 })
	r.ready(t, "p", "demo", "")
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	firstData(t, ctx, r, endless())
	c := &callRig{rig: r, t: t}
	if _, err := c.runCall(endless()); statusOf(err) != 429 {
		t.Errorf("a second call: got %v, want 429", err)
	}
	hangUp()
	testkit.Eventually(t, "the slot to be free", func() bool { return r.status(t, "p").SlotsFree == 1 })
	testkit.Eventually(t, "the engine's slot to be free", func() bool { return engineSlotsBusy(t, r, "p") == 0 })
}

func TestAKilledEngineEndsItsCalls(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	stream := firstData(t, t.Context(), r, endless())
	for range 2 { // the first has the role alone
		if _, err := stream.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(r.engine(t, "p").process.Identity().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var last nodeapi.Frame
	var failure nodeapi.CallError
	for {
		f, err := stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if last = f; f.Kind == nodeapi.FrameError {
			if err := f.Decode(&failure); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last.Kind != nodeapi.FrameError || failure.Code != string(adapter.ClassReset) || failure.Status != 0 || failure.TokensOut == 0 || failure.Engine != "demo" {
		t.Errorf("ended with %c %+v, want WORKER_RESET and what was produced", last.Kind, failure)
	}
	testkit.Eventually(t, "the restart", func() bool { s := r.status(t, "p"); return s.Restarts == 1 && s.Ready })
	c := &callRig{rig: r, t: t}
	q := request("chat", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	q.ModelRef = "demo"
	if got := c.must(q); !got.end.Succeeded {
		t.Errorf("after the restart: %+v", got.error)
	}
}

func TestACallsSlotIsFreeBeforeItsEndIsRead(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	const body = `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":3}`
	for query, end := range map[string]string{"": "E", "&stream=true": "X"} { // the engine does not stream what did not ask for it
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/pools/p/call/chat?places=9-12,0-0,0-0,1"+query, strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+r.token.Reveal())
		seen := -1
		r.handler.ServeHTTP(observed{httptest.NewRecorder(), func(text string) {
			if strings.Contains(text, end+"\x00\x00") {
				seen = r.status(t, "p").ActiveLeases
			}
		}}, request)
		if seen != 0 {
			t.Errorf("slots taken at the frame %s: got %d, want 0", end, seen)
		}
	}
}

func TestALimitEndsACall(t *testing.T) {
	c := startCalls(t, nil)
	c.handle = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if strings.Contains(string(c.sent), "first") {
			io.WriteString(w, `data: {"choices":[{"delta":{"content":"a"}}]}`+"\n\n")
		}
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	q := request("chat", `{"model":"m"}`)
	q.Stream, q.DeadlineMS = true, 50
	if got := c.must(q).error; got.Code != "DEADLINE_EXCEEDED" {
		t.Errorf("a deadline before the first token: got %+v", got)
	}
	q = request("chat", `{"model":"m","x":"first"}`)
	q.Stream, q.DeadlineMS, q.StreamLimitMS = true, 10_000, 50
	if got := c.must(q); got.error.Code != "STREAM_LIMIT_EXCEEDED" || got.error.TokensOut != 1 || got.kinds != "HDX" {
		t.Errorf("a stream's limit: got %s %+v", got.kinds, got.error)
	}
}

func TestAStalledEngineIsSuspectAfterACall(t *testing.T) {
	c := startCalls(t, func(t *Template) { t.FirstTokenLimit = 30 * time.Millisecond })
	c.handle = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	q := request("chat", `{"model":"m"}`)
	q.Stream = true
	if got := c.must(q).error; got.Code != "WORKER_RESET" || !strings.Contains(got.Message, "stalled") {
		t.Errorf("got %+v", got)
	}
	if s := c.status(t, "p"); !s.Suspect {
		t.Errorf("status: %+v, want suspect", s)
	}
}

func TestACallWaitsForAnEngineThatLoadsWithItsAnswerOpen(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates[0].Swap = true
		o.Templates[0].Command = append(o.Templates[0].Command, "--load-delay", "1s")
		o.Preload = []Preload{{PoolID: "p", Template: "demo", OnDemand: true}}
	})
	q := request("chat", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	q.ModelRef = "demo"
	stream, err := r.client.Call(t.Context(), "p", q)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if s := r.status(t, "p"); s.Ready || s.ActiveLeases != 1 {
		t.Errorf("the answer came with the engine: %+v", s)
	}
	for kind := nodeapi.FrameAlive; kind != nodeapi.FrameEnd; {
		f, err := stream.Next()
		if err != nil || f.Kind == nodeapi.FrameError {
			t.Fatalf("%c %s, %v", f.Kind, f.Payload, err)
		}
		kind = f.Kind
	}
}

// large is a request of that many bytes, which is not in memory as a whole.
func large(size int64, last string) nodeapi.CallRequest {
	const begin = `{"model":"m","messages":[{"content":"`
	rest := `"}]` + last + `}`
	q := request("chat", begin)
	fill := size - int64(len(begin)+len(rest))
	q.Places.Opened = 1
	q.Body = io.MultiReader(strings.NewReader(begin), io.LimitReader(letters{}, fill), strings.NewReader(rest))
	q.BodyBytes = size
	return q
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// startBare is startCalls with an engine that reads no body by itself.
func startBare(t *testing.T, handle http.HandlerFunc) *callRig {
	t.Helper()
	c := startCalls(t, nil)
	c.bare = handle
	return c
}

func TestALargeRequestIsRefusedBeforeTheEngineHasIt(t *testing.T) {
	got := make(chan error, 1)
	c := startBare(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	})
	for name, last := range map[string]string{"a member": `,"priority":1`, "not JSON": `,`, "an address": `,"image_url":"http://a"`} {
		_, err := c.runCall(large(1<<20, last))
		if statusOf(err) != 400 {
			t.Errorf("%s: got %v, want 400", name, err)
		}
		if err := testkit.Receive(t, got, "the answer"); err == nil {
			t.Errorf("%s: the engine got the whole request", name)
		}
	}
	testkit.Eventually(t, "the slots to be free", func() bool { return c.status(t, "p").ActiveLeases == 0 })
}

func TestALargeRequestTakesAFewPiecesOfMemory(t *testing.T) {
	const size = 16 << 20
	c := startBare(t, func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); n < size-10 || err != nil || r.ContentLength != n {
			t.Errorf("the engine got %d of %d bytes, %v", n, r.ContentLength, err)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"choices":[]}`)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := c.must(large(size, "")); !got.end.Succeeded {
		t.Errorf("got %+v", got.error)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d KiB were allocated for a request of %d MiB, by client, pool manager and engine together", used>>10, size>>20)
	}
}

func TestAnEngineMayRefuseARequestBeforeItHasRead(t *testing.T) {
	c := startBare(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(413)
		io.WriteString(w, `{"error":{"message":"too large"}}`)
	})
	if got := c.must(large(8<<20, "")).error; got.Code != "ENGINE_REJECTED" || got.Status != 413 {
		t.Errorf("got %+v", got)
	}
}

// TestACallerThatReadsAtItsEndGetsItsRefusal: a proxy may send all of a request before
// it reads the answer.
func TestACallerThatReadsAtItsEndGetsItsRefusal(t *testing.T) {
	c := startCalls(t, nil)
	conn, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const begin, size = `{"model":"m","priority":1,"x":"`, 8 << 20
	fmt.Fprintf(conn, "POST /pools/p/call/chat?places=9-12,0-0,0-0,1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", c.token.Reveal(), size, begin)
	if _, err := io.CopyN(conn, letters{}, size-int64(len(begin))); err != nil {
		t.Fatalf("sending: %v", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 400 {
		t.Errorf("got %v, %v, want 400", response, err)
	}
}

// TestAnEngineMayAnswerWhileARequestComes: what it says first does not end the request.
func TestAnEngineMayAnswerWhileARequestComes(t *testing.T) {
	const size = 200 << 10
	c := startBare(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"choices":[{"delta":{"content":"a"}}]}`+"\n\n")
		http.NewResponseController(w).Flush()
		if n, err := io.Copy(io.Discard, r.Body); n < size {
			t.Errorf("the engine got %d of %d bytes, %v", n, size, err)
		}
		io.WriteString(w, `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	})
	q := large(size, "")
	q.Stream = true
	answered := make(gate)
	q.Body = io.MultiReader(io.LimitReader(q.Body, 150<<10), answered, q.Body)
	stream := firstData(t, t.Context(), c.rig, q)
	close(answered)
	for _, want := range []nodeapi.FrameKind{nodeapi.FrameData, nodeapi.FrameLast, nodeapi.FrameEnd} {
		if f, err := stream.Next(); err != nil || f.Kind != want {
			t.Fatalf("got %c %s, %v, want %c", f.Kind, f.Payload, err, want)
		}
	}
}

// gate is a reader without bytes that ends when it is closed.
type gate chan struct{}

func (g gate) Read([]byte) (int, error) {
	<-g
	return 0, io.EOF
}

func TestACallerThatStopsSendingGivesTheSlotBack(t *testing.T) {
	c := startBare(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	q := large(1<<20, "")
	q.Body = io.MultiReader(io.LimitReader(q.Body, 500_000), failing{})
	if _, err := c.runCall(q); err == nil || statusOf(err) >= 500 {
		t.Errorf("got %v", err)
	}
	testkit.Eventually(t, "the slot to be free", func() bool { return c.status(t, "p").ActiveLeases == 0 })
	if strings.Contains(c.log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", c.log)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the file is gone") }

// TestACallIsKeptAliveOnceItsRequestIsHere: before that a proxy would take the answer
// for the end of the request.
func TestACallIsKeptAliveOnceItsRequestIsHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		out := backend.NewStreamOf(w, nodeapi.CallContentType, aliveFrame, writeLimit)
		body := &callBody{whole: make(chan struct{})}
		stop := keepAlive(out, body)
		<-time.After(time.Hour)
		synctest.Wait()
		if out.Opened() {
			t.Error("the answer began before the request was here")
		}
		close(body.whole)
		<-time.After(46 * time.Second)
		synctest.Wait()
		stop()
		if got := w.Body.String(); got != strings.Repeat("A\x00\x00\x00\x00", 3) || w.Header().Get("Content-Type") != nodeapi.CallContentType {
			t.Errorf("got %q as %s in 46 s, want three frames", got, w.Header().Get("Content-Type"))
		}
	})
}
