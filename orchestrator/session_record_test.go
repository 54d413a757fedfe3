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
	value, want := stored.Value, attribution(ci.Identity, call.Header, nil)
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

// TestRecordsOfTwoIdentitiesDoNotShareAConversation: records have its name in the clear, and
// who reads them cannot see that two identities use one session id.
func TestRecordsOfTwoIdentitiesDoNotShareAConversation(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	seen := map[string]string{}
	for _, owner := range []string{"ann", "bob"} {
		for source, header := range map[string]http.Header{"header": {"X-Session-Id": {"one"}}, "member": nil} {
			call := CallRequest{Operation: chatOperation, Header: header, Body: strings.NewReader(`{"model":"m","user":"one"}`)}
			a, err := o.SubmitCall(t.Context(), Who{Identity: owner}, call)
			if err != nil {
				t.Fatal(err)
			}
			stored, err := o.store.Bucket(store.Tasks).Get(t.Context(), a.TaskID)
			if err != nil {
				t.Fatal(err)
			}
			r, err := decodeRecord(stored.Value)
			if err != nil {
				t.Fatal(err)
			}
			got := r.Request.attribution()
			if got == "" || seen[got] != "" {
				t.Errorf("%s of %s: got %q, which is that of %s", source, owner, got, seen[got])
			}
			seen[got] = source + " of " + owner
		}
	}
}
