package poolmanager

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func statusOf(err error) int {
	var status *nodeapi.StatusError
	if errors.As(err, &status) {
		return status.Status
	}
	return 0
}

func textOf(events []nodeapi.Event) string {
	var text strings.Builder
	for _, e := range events {
		text.WriteString(e.Text)
	}
	return text.String()
}

func TestATaskStreamsItsTokensAndEndsOnce(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	seed := int64(1)
	task := nodeapi.DispatchRequest{Prompt: "say something", MaxTokens: 12, Seed: &seed}
	events, err := r.run(t, "p", task)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if len(events) != 13 || last.Type != nodeapi.EventEnd || last.TokensOut != 12 || last.TokensIn != 2 || last.FinishReason != "length" {
		t.Errorf("got %d events, the last %+v", len(events), last)
	}
	for i, e := range events[:12] {
		if e.Type != nodeapi.EventToken || e.Index != i {
			t.Errorf("event %d: got %+v", i, e)
		}
	}
	again, err := r.run(t, "p", task)
	if err != nil || textOf(again) != textOf(events) || !strings.HasPrefix(textOf(events), "[demo]") {
		t.Errorf("first %q, again %q, %v", textOf(events), textOf(again), err)
	}
	chat, err := r.run(t, "p", nodeapi.DispatchRequest{Messages: []nodeapi.Message{{Role: "user", Content: "hi"}}, MaxTokens: 3, ModelRef: "demo"})
	if err != nil || len(chat) != 4 || chat[3].TokensOut != 3 {
		t.Errorf("chat: got %+v, %v", chat, err)
	}
}

func TestWhatCannotRunIsRefusedBeforeTheStream(t *testing.T) {
	r := startRig(t, nil)
	if _, err := r.run(t, "nowhere", nodeapi.DispatchRequest{Prompt: "x"}); statusOf(err) != 404 {
		t.Errorf("unknown pool: got %v, want 404", err)
	}
	r.ready(t, "p", "demo", "")
	for want, task := range map[int]nodeapi.DispatchRequest{
		409: {Prompt: "x", ModelRef: "another"},
		422: {Prompt: "x", Messages: []nodeapi.Message{{Role: "user", Content: "x"}}},
	} {
		if _, err := r.run(t, "p", task); statusOf(err) != want {
			t.Errorf("%+v: got %v, want %d", task, err, want)
		}
	}
	for _, task := range []nodeapi.DispatchRequest{{}, {Prompt: "x", Workload: "training"}, {Prompt: "x", MaxTokens: -1}} {
		if _, err := r.run(t, "p", task); statusOf(err) != 422 {
			t.Errorf("%+v: got %v, want 422", task, err)
		}
	}
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the pool to stop", func() bool { return r.status(t, "p").State == "stopped" })
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x"}); statusOf(err) != 409 {
		t.Errorf("stopped pool: got %v, want 409", err)
	}
}

func TestATakenSlotIs429AndHangingUpFreesItInTheEngineToo(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates[0].Slots = 1 })
	r.ready(t, "p", "demo", "")
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	stream, err := r.client.Dispatch(ctx, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	_, err = r.run(t, "p", nodeapi.DispatchRequest{Prompt: "y"})
	var full *nodeapi.StatusError
	if !errors.As(err, &full) || full.Status != 429 || full.RetryAfter < time.Second || full.Code != "NO_SLOT" {
		t.Errorf("second task: got %+v, want 429 with Retry-After", err)
	}
	if s := r.status(t, "p"); s.SlotsFree != 0 || s.ActiveLeases != 1 {
		t.Errorf("status while running: %+v", s)
	}
	hangUp()
	testkit.Eventually(t, "the slot to be free", func() bool { return r.status(t, "p").SlotsFree == 1 })
	testkit.Eventually(t, "the engine's slot to be free", func() bool { return engineSlotsBusy(t, r, "p") == 0 })
	// The engine has one slot as well: a task that was not cancelled there would block this one.
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "y", MaxTokens: 2}); err != nil {
		t.Errorf("after the hang-up: %v", err)
	}
}

// observed calls see with what the caller would read, when it would read it.
type observed struct {
	*httptest.ResponseRecorder
	see func(string)
}

func (o observed) Write(p []byte) (int, error)      { o.see(string(p)); return o.ResponseRecorder.Write(p) }
func (o observed) SetWriteDeadline(time.Time) error { return nil }

func TestTheSlotIsFreeBeforeTheEndIsRead(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	for body, end := range map[string]string{
		`{"prompt":"x","max_tokens":2}`:                          "event: end",
		`{"prompt":"x","max_tokens":60000,"stream_limit_ms":20}`: "event: error",
	} {
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/pools/p/dispatch", strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+r.token.Reveal())
		seen := -1
		r.handler.ServeHTTP(observed{httptest.NewRecorder(), func(text string) {
			if strings.HasPrefix(text, end) {
				seen = r.status(t, "p").ActiveLeases
			}
		}}, request)
		if seen != 0 {
			t.Errorf("slots taken at %q: got %d, want 0", end, seen)
		}
	}
}

// engineSlotsBusy asks the engine itself, with the key that only we know.
func engineSlotsBusy(t *testing.T, r *rig, id string) int {
	t.Helper()
	p, err := r.pools.find(id)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.env.engines.(*processes).get(t.Context(), r.engine(t, id), "/slots")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var slots []struct {
		Processing bool `json:"is_processing"`
	}
	if err := json.NewDecoder(response.Body).Decode(&slots); err != nil {
		t.Fatal(err)
	}
	busy := 0
	for _, s := range slots {
		if s.Processing {
			busy++
		}
	}
	return busy
}

func TestADeadlineIsForTheFirstTokenAndALimitForTheStream(t *testing.T) {
	r := startRig(t, func(o *Options) {
		for name, delay := range map[string]string{"slow": "1h", "steady": "20ms"} {
			more := o.Templates[0]
			more.Name, more.Command = name, append(slices.Clone(more.Command), "--token-delay", delay)
			o.Templates = append(o.Templates, more)
		}
	})
	r.ready(t, "p", "demo", "")
	r.ready(t, "slow", "slow", "")
	r.ready(t, "steady", "steady", "")
	events, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000, StreamLimitMS: 50})
	if err != nil {
		t.Fatal(err)
	}
	if last := events[len(events)-1]; len(events) < 2 || last.Type != nodeapi.EventError || last.Code != "STREAM_LIMIT_EXCEEDED" {
		t.Errorf("a stream's limit: got %d events, the last %+v, want STREAM_LIMIT_EXCEEDED", len(events), last)
	}
	events, err = r.run(t, "slow", nodeapi.DispatchRequest{Prompt: "x", DeadlineMS: 50})
	if err != nil || len(events) != 1 || events[0].Code != "DEADLINE_EXCEEDED" {
		t.Errorf("a deadline before the first token: got %+v, %v, want DEADLINE_EXCEEDED", events, err)
	}
	// 20 tokens at 20 ms each: the deadline is met by the first one.
	events, err = r.run(t, "steady", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 20, DeadlineMS: 300})
	if last := len(events) - 1; err != nil || last != 20 || events[last].Type != nodeapi.EventEnd {
		t.Errorf("a deadline that the first token met: got %d events, %v, want 20 tokens and the end", len(events), err)
	}
	testkit.Eventually(t, "the slot to be free", func() bool { return r.status(t, "p").SlotsFree == 4 })
}

func TestAKilledEngineEndsItsTasksAndTheNextOneWorksAfterTheRestart(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	stream, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	pid := r.engine(t, "p").process.Identity().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var last nodeapi.Event
	for err == nil {
		var e nodeapi.Event
		if e, err = stream.Next(); err == nil {
			last = e
		}
	}
	if last.Type != nodeapi.EventError || last.Code != string(adapter.ClassReset) {
		t.Errorf("the running task ended with %+v, %v, want error WORKER_RESET", last, err)
	}
	testkit.Eventually(t, "the restart", func() bool { s := r.status(t, "p"); return s.Restarts == 1 && s.Ready })
	if s := r.status(t, "p"); !strings.HasPrefix(s.LastError, "signal: ") || s.ActiveLeases != 0 {
		t.Errorf("status after the restart: %+v", s)
	}
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 2}); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if _, body := r.call(t, "GET", "/metrics", "", "Authorization", "Bearer "+r.token.Reveal()); !strings.Contains(body, `pool_restarts_total{reason="signal"} 1`) {
		t.Errorf("metrics do not count the restart:\n%s", body)
	}
}
