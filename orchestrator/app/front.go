package app

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// startRetry is the Retry-After of requests during the start: an election takes a
// few seconds.
const startRetry = 5 * time.Second

// front answers with the API once it is open. Until then the process lives and is not
// ready, and every other request gets 503 at once instead of waiting for the other
// replicas.
type front struct{ api atomic.Pointer[http.Handler] }

func newFront() *front { return new(front) }

func (f *front) open(api http.Handler) { f.api.Store(&api) }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if api := f.api.Load(); api != nil {
		(*api).ServeHTTP(w, r)
		return
	}
	if backend.AnswerStarting(w, r) {
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(startRetry.Seconds())))
	authmin.WriteProblem(w, r, authmin.Problem{
		Status: http.StatusServiceUnavailable, Code: "STARTING", CodeNumber: 50302, Title: "The orchestrator is starting",
		Hint: "it opens its state, and in a cluster waits for a quorum of replicas; try again",
	})
}
