package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// callTaker is an orchestrator whose one pool holds m, speaks chat and has no slot.
func callTaker(t *testing.T, s Settings, now func() time.Time) *Orchestrator {
	t.Helper()
	o, err := New(t.Context(), Config{Store: openStore(t), Settings: s, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	_, err = o.RegisterNode(t.Context(), Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: "http://127.0.0.1:9", DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m", Ready: true, Workloads: nodeapi.WithProtocols(nil, nodeapi.Protocols())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var chatOperation, _ = nodeapi.FindOperation("chat")

// largeCall is a call whose body is in pieces.
func largeCall(n int) CallRequest {
	return CallRequest{Operation: chatOperation, Body: strings.NewReader(`{"model":"m","stream":true,"x":"` + strings.Repeat("x", n) + `"}`)}
}

func bodiesOf(t *testing.T, o *Orchestrator) []string {
	t.Helper()
	ids, err := o.store.Content().IDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestTheSweepRemovesBodiesWithoutARecord: what a crash has left between the pieces and
// the record; the body of a waiting call stays.
func TestTheSweepRemovesBodiesWithoutARecord(t *testing.T) {
	now := time.Now()
	o := callTaker(t, Settings{}, func() time.Time { return now })
	if _, err := o.SubmitCall(t.Context(), ci, largeCall(40_000)); err != nil {
		t.Fatal(err)
	}
	kept := bodiesOf(t, o)
	if err := o.store.Content().Put(t.Context(), "orphan", 0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	o.content.sweep()
	now = now.Add(orphanAge - time.Second)
	o.content.sweep()
	if got := bodiesOf(t, o); !slices.Contains(got, "orphan") {
		t.Error("a body that may still get its record is removed")
	}
	now = now.Add(2 * time.Second)
	o.content.sweep()
	if got := bodiesOf(t, o); len(kept) != 1 || !slices.Equal(got, kept) {
		t.Errorf("bodies: got %v, want %v", got, kept)
	}
}

// TestBodiesAreSharedByIdentities: one alone gets nine tenths of the bound, and the next
// one still gets in; what a refused call has stored is given back.
func TestBodiesAreSharedByIdentities(t *testing.T) {
	o := callTaker(t, Settings{ContentBytes: 10 << 20}, time.Now)
	taken := 0
	var refused *Error
	for refused == nil && taken < 20 {
		_, err := o.SubmitCall(t.Context(), ci, largeCall(1<<20-100))
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if err == nil {
			taken++
		}
	}
	if taken != 9 || refused == nil || refused.Code != "CONTENT_FULL" {
		t.Errorf("one identity: %d of 10, then %v", taken, refused)
	}
	if got := o.content.held.Total(); got > 9<<20 {
		t.Errorf("held after a refusal: %d bytes", got)
	}
	if _, err := o.SubmitCall(t.Context(), Who{Identity: "other"}, largeCall(1<<20-100)); err != nil {
		t.Errorf("another identity: %v", err)
	}
	for _, task := range o.tasks.visible(Who{Admin: true}, Queued) {
		if err := o.Cancel(t.Context(), Who{Admin: true}, task.TaskID); err != nil {
			t.Fatal(err)
		}
	}
	if got := o.content.held.Total(); got != 0 {
		t.Errorf("held when all have ended: %d bytes", got)
	}
	if got := bodiesOf(t, o); len(got) != 0 {
		t.Errorf("bodies of ended calls: %v", got)
	}
}

// TestARecordThatAnOlderReplicaWritesKeepsItsCall: such a replica keeps only the members
// that it knows.
func TestARecordThatAnOlderReplicaWritesKeepsItsCall(t *testing.T) {
	r := TaskRequest{Workload: Native, ModelRef: "m", call: &Call{Operation: "chat", Digest: "d", Body: []byte(`{"model":"m"}`), Bytes: 13}, content: content{Body: "b", Bytes: 3}}
	value, err := record{Task: Task{TaskID: "t", State: Queued, Workload: Native, Protocol: nodeapi.Chat, content: r.content}, Request: &r}.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, newer := range []string{`"content":{`, `"protocol":"chat",`} {
		if !strings.Contains(string(value), newer) {
			t.Errorf("the record has no %s: %s", newer, value)
		}
	}
	i := strings.LastIndex(string(value), `,"content":{`)
	older := strings.Replace(string(value[:i])+"}", `"protocol":"chat",`, "", 1)
	got, err := decodeRecord([]byte(older))
	if err != nil || got.Request.call == nil || string(got.Request.call.Body) != `{"model":"m"}` || got.content.Body != "b" || got.Protocol != nodeapi.Chat || got.Request.Prompt != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}
