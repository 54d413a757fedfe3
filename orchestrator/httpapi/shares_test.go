package httpapi

import (
	"context"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// TestStreamsOfOneCallerLeaveRoomForTheNext holds one task's stream open as often as
// one caller may, and has another caller ask.
func TestStreamsOfOneCallerLeaveRoomForTheNext(t *testing.T) {
	s := serve(t, Options{Streams: Streams{MaxStreams: 20}})
	s.pool(0, echo)
	id := s.submit()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for n := range 18 {
		if res := s.send(ctx, "GET", "/v2/tasks/"+id+"/events", ""); res.StatusCode != 200 {
			t.Fatalf("stream %d of one caller: got %d, want 200", n+1, res.StatusCode)
		}
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v2/tasks/" + id + "/events", ""},
		{"POST", "/v1/completions", `{"model":"m","prompt":"x"}`},
	} {
		if res := s.send(ctx, c.method, c.path, c.body); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s, the 19th: got %d, want 429 with Retry-After", c.path, res.StatusCode)
		}
	}
	if !s.api.streams.Take("other") {
		t.Errorf("another caller is refused at %d of 20", s.api.streams.Total())
	}
	leave()
	testkit.Eventually(t, "the places are free", func() bool { return s.api.streams.Total() == 1 })
}
