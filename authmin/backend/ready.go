package backend

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// The public routes: whether the process lives, and whether it takes work. Balancers and
// supervisors ask them without a credential, so they tell nothing else.
const (
	HealthPath = "/health"
	ReadyPath  = "/ready"
)

// isPublicPath reports whether a path, as it was sent, is open to requests without a
// credential.
func isPublicPath(path string) bool { return path == HealthPath || path == ReadyPath }

// NotReady is why a service takes no work now; "" when it does.
type NotReady string

// The reasons.
const (
	Starting NotReady = "starting"  // its state is not open yet
	Draining NotReady = "draining"  // it stops, and finishes what runs
	NoQuorum NotReady = "no_quorum" // too few other replicas are connected
	DiskFull NotReady = "disk_full" // there is no space for new work
)

// Readiness is the answer of GET /ready.
type Readiness struct {
	Status string   `json:"status" enum:"ready,not_ready"`
	Reason NotReady `json:"reason,omitempty" enum:"draining,no_quorum,starting,disk_full" doc:"Why not"`
}

func readinessOf(reason NotReady) (status int, r Readiness) {
	if reason != "" {
		return http.StatusServiceUnavailable, Readiness{"not_ready", reason}
	}
	return http.StatusOK, Readiness{Status: "ready"}
}

type readyAnswer struct {
	Status int
	Body   Readiness
}

// AddReady defines GET /ready: 200, or 503 with the reason.
func (a *API) AddReady(reason func() NotReady) {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Readiness](), true, "Readiness")
	op := huma.Operation{
		Method: http.MethodGet, Path: ReadyPath, OperationID: "get-ready", Summary: "Whether it takes work",
		Responses: map[string]*huma.Response{"503": {
			Description: "Service Unavailable", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
		}},
	}
	Add(a, Public, op, func(context.Context, *struct{}) (*readyAnswer, error) {
		status, body := readinessOf(reason())
		return &readyAnswer{status, body}, nil
	})
}

// AnswerStarting answers the public routes of a service that has no [API] yet, and reports
// whether the request was for one of them: the process lives, and takes no work.
func AnswerStarting(w http.ResponseWriter, r *http.Request) bool {
	if (r.Method != http.MethodGet && r.Method != http.MethodHead) || r.URL.RawPath != "" || !isPublicPath(r.URL.Path) {
		return false
	}
	status, body := http.StatusOK, any(map[string]string{"status": "ok"})
	if r.URL.Path == ReadyPath {
		status, body = readinessOf(Starting)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // net/http drops it for HEAD
	return true
}
