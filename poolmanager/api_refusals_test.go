package poolmanager

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/staging"
)

// TestEachErrorHasItsAnswer: the status tells the orchestrator whether to try again, and
// where; the code is what operators search for.
func TestEachErrorHasItsAnswer(t *testing.T) {
	for err, want := range map[error]string{
		errNoPool: "404 POOL_NOT_FOUND", errNoTemplate: "404 TEMPLATE_NOT_FOUND", errPoolID: "422 INVALID_POOL_ID", ErrModelRef: "422 INVALID_MODEL_REF",
		errTask: "422 INVALID_TASK", errWorkload: "422 WORKLOAD_NOT_SUPPORTED", errProtocol: "409 PROTOCOL_NOT_SERVED", errOperation: "404 NOT_FOUND",
		errMember: "400 MEMBER_NOT_ALLOWED", errBody: "400 INVALID_JSON", errBodyGone: "400 INVALID_JSON", errBodySize: "413 BODY_TOO_LARGE", errBodyTime: "408 BODY_TIMEOUT",
		errNotReady: "409 POOL_NOT_READY", errBusy: "409 POOL_BUSY", errModel: "409 MODEL_NOT_LOADED", errRollback: "409 RELOAD_ROLLED_BACK", errFull: "409 TOO_MANY_POOLS",
		staging.ErrStaging: "409 MODEL_NOT_STAGED", errHanded: "409 POOL_HANDED_OFF", errNoMemory: "429 NO_MEMORY", errReloading: "503 RELOAD_UNDER_WAY", errNoSlot: "429 NO_SLOT",
		errors.New("the disk is on fire"): "500 INTERNAL",
	} {
		p := problemOf(fmt.Errorf("doing it: %w", err))
		if got := fmt.Sprint(p.Status, " ", p.Code); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
		if later := p.Status == 429 || p.Status == 503; later != (p.Header.Get("Retry-After") != "") {
			t.Errorf("%v: %d with Retry-After %q", err, p.Status, p.Header.Get("Retry-After"))
		}
		if p.Status == 500 && strings.Contains(p.Hint, "fire") {
			t.Errorf("the client is told %q", p.Hint)
		}
	}
}

// late is a body that does not go on.
type late struct{}

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// TestABodyThatDoesNotComeIsTold apart from one whose connection has ended.
func TestABodyThatDoesNotComeIsTold(t *testing.T) {
	rules, err := newRequestRules(Template{Engine: "url"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rest io.Reader
		want error
	}{"too slow": {late{}, errBodyTime}, "cut": {strings.NewReader(""), errBodyGone}} {
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"model":`), c.rest))
		r.ContentLength = 500
		if _, err := newCallBody(httptest.NewRecorder(), r, time.Second, rules, nodeapi.Places{}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestAnEngineThatKeepsNothingIsNotAskedToGoOn, and no member is refused in two ways.
func TestAnEngineThatKeepsNothingIsNotAskedToGoOn(t *testing.T) {
	rules, err := newRequestRules(Template{Engine: "ollama"})
	if err != nil {
		t.Fatal(err)
	}
	if err := rules.scanner().read([]byte(`{"model":"m","previous_response_id":"resp_1"}`)); !errors.Is(err, errMember) {
		t.Errorf("got %v, want %v", err, errMember)
	}
	for _, members := range [][]string{{"lora_path", "lora_path"}, {"num_ctx <= 1", "num_ctx <= 2"}} {
		if _, err := newRequestRules(Template{Engine: "url", RefuseMembers: members}); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%q: got %v, want an error that says twice", members, err)
		}
	}
}
