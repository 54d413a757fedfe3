package orchestrator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestARecordKeepsItsConversation: the replica that places a call may have it from its record
// alone, whose content is encrypted. That a replica writes such a record anew changes nothing.
func TestARecordKeepsItsConversation(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	call := largeCall(10)
	call.Header = http.Header{"X-Session-Id": {"one"}}
	a, err := o.SubmitCall(t.Context(), ci, call)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := o.store.Bucket(store.Tasks).Get(t.Context(), a.TaskID)
	if err != nil {
		t.Fatal(err)
	}
	value, want := stored.Value, attribution(call.Header, nil)
	for range 2 {
		r, err := decodeRecord(value)
		if err != nil || r.Request == nil || !r.Request.bare {
			t.Fatalf("got %+v, %v, want an encrypted request", r.Request, err)
		}
		if got := o.waitsFor(r.Task, *r.Request).needs.Attribution; got != want || want == "" {
			t.Errorf("got the conversation %q, want %q", got, want)
		}
		if value, err = r.encode(); err != nil {
			t.Fatal(err)
		}
		r.Request = nil
		if ended, err := r.encode(); err != nil || strings.Contains(string(ended), want) {
			t.Errorf("the record of an ended task is %s, %v, and has the conversation", ended, err)
		}
	}
}
