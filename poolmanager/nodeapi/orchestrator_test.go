package nodeapi_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// orchestratorAt is a client of a server with these routes.
func orchestratorAt(t *testing.T, h http.Handler) *nodeapi.Orchestrator {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o := nodeapi.NewOrchestrator(server.URL+"/", func() authmin.Secret { return authmin.Secret{} }, nil)
	t.Cleanup(o.CloseIdle)
	return o
}

// record decodes a request's body into got and answers with answer.
func record[T any](t *testing.T, got *T, answer any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kind := r.Header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s %s has the content type %q", r.Method, r.URL.Path, kind)
		}
		if err := json.NewDecoder(r.Body).Decode(got); err != nil {
			t.Error(err)
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}
}

func TestANodesCallsHaveTheirRoutesAndBodies(t *testing.T) {
	pools := []nodeapi.Pool{{PoolID: "chat", Models: []string{"m"}}}
	register := nodeapi.RegisterRequest{NodeID: "gpu-1", MachineID: "0f", Address: "https://gpu-1.example", Pools: pools, Version: "1", DispatchToken: "dispatch-token"}
	heartbeat := nodeapi.HeartbeatRequest{Timestamp: time.Unix(1_700_000_000, 0).UTC(), Pools: pools}
	model := nodeapi.Model{ModelRequest: nodeapi.ModelRequest{ID: "m:7b", Digest: "sha256:00"}, State: nodeapi.ModelActive}
	var gotRegister nodeapi.RegisterRequest
	var gotHeartbeat nodeapi.HeartbeatRequest
	removed := ""
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/nodes/register", record(t, &gotRegister, nodeapi.RegisterResponse{NodeID: "gpu-1", NextHeartbeatMS: 5000}))
	mux.HandleFunc("POST /v2/nodes/gpu-1/heartbeat", record(t, &gotHeartbeat, nodeapi.HeartbeatResponse{NextHeartbeatMS: 700}))
	mux.HandleFunc("DELETE /v2/nodes/{id}", func(w http.ResponseWriter, r *http.Request) {
		removed = r.PathValue("id")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /v2/catalog/models/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "m:7b/../x" {
			t.Errorf("the catalog was asked for %q", r.PathValue("id"))
		}
		if err := json.NewEncoder(w).Encode(model); err != nil {
			t.Error(err)
		}
	})
	o := orchestratorAt(t, mux)
	registered, err := o.Register(t.Context(), register)
	if err != nil || registered.NodeID != "gpu-1" || registered.NextHeartbeatMS != 5000 {
		t.Errorf("register: got %+v, %v", registered, err)
	}
	beaten, err := o.Heartbeat(t.Context(), "gpu-1", heartbeat)
	if err != nil || beaten.NextHeartbeatMS != 700 {
		t.Errorf("heartbeat: got %+v, %v", beaten, err)
	}
	if diff := cmp.Diff(register, gotRegister) + cmp.Diff(heartbeat, gotHeartbeat); diff != "" {
		t.Errorf("the orchestrator read something else (-sent +read):\n%s", diff)
	}
	if err := o.Deregister(t.Context(), "gpu-1"); err != nil || removed != "gpu-1" {
		t.Errorf("deregister: %v, removed %q", err, removed)
	}
	if got, err := o.CatalogModel(t.Context(), "m:7b/../x"); err != nil || cmp.Diff(model, got) != "" {
		t.Errorf("catalog: got %+v, %v", got, err)
	}
}

// TestAnOrchestratorsRefusalKeepsItsCode and its status, by which a caller registers
// again. The hint is dropped and the code bounded, because the error is logged.
func TestAnOrchestratorsRefusalKeepsItsCode(t *testing.T) {
	calls := 0
	o := orchestratorAt(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusNotFound)
		code := "NODE_NOT_FOUND"
		if r.Method == http.MethodDelete {
			code = strings.Repeat("x", 10_000)
		}
		fmt.Fprintf(w, `{"code":%q,"hint":"CANARY"}`, code)
	}))
	_, err := o.Heartbeat(t.Context(), "gpu-1", nodeapi.HeartbeatRequest{})
	refused, ok := errors.AsType[*nodeapi.StatusError](err)
	if !ok || refused.Status != 404 || refused.Code != "NODE_NOT_FOUND" || refused.RetryAfter != 7*time.Second || errors.Is(err, nodeapi.ErrUnreachable) {
		t.Fatalf("got %#v, %v", refused, err)
	}
	if want := "POST /v2/nodes/gpu-1/heartbeat: the orchestrator answered 404 NODE_NOT_FOUND"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if calls != 1 {
		t.Errorf("%d calls: to register again is the caller's decision", calls)
	}
	if err := o.Deregister(t.Context(), "gpu-1"); err == nil || len(err.Error()) > 200 {
		t.Errorf("a code of 10,000 bytes: got %v", err)
	}
}

func TestTheOrchestratorsTokenIsReadAtEachCall(t *testing.T) {
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, strings.Join(r.Header["Authorization"], ", "))
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	first, second := authmin.RandomSecret(), authmin.RandomSecret()
	tokens := []authmin.Secret{first, second, {}}
	o := nodeapi.NewOrchestrator(server.URL, func() authmin.Secret {
		token := tokens[0]
		tokens = tokens[1:]
		return token
	}, nil)
	defer o.CloseIdle()
	for range 3 {
		if _, err := o.CatalogModel(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"Bearer " + first.Reveal(), "Bearer " + second.Reveal(), ""}; cmp.Diff(want, sent) != "" {
		t.Error("the requests did not have the first token, the second one, and none")
	}
}

func TestTheOrchestratorsRedirectsAreNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		o := orchestratorAt(t, http.RedirectHandler(other.URL, status))
		_, err := o.Register(t.Context(), nodeapi.RegisterRequest{DispatchToken: "dispatch-token"})
		if refused, ok := errors.AsType[*nodeapi.StatusError](err); !ok || refused.Status != status || asked {
			t.Errorf("%d: got %v, and the other server was asked: %t", status, err, asked)
		}
	}
}

func TestAnOrchestratorsAnswerIsBounded(t *testing.T) {
	for name, answer := range map[string]string{
		"a long answer": `{"node_id":"` + strings.Repeat("x", 1<<20) + `"}`,
		"no JSON":       "<html>",
		"no body":       "",
	} {
		o := orchestratorAt(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
		_, err := o.Register(t.Context(), nodeapi.RegisterRequest{})
		if err == nil || !strings.HasPrefix(err.Error(), "reading the answer to POST /v2/nodes/register: ") || len(err.Error()) > 200 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAnOrchestratorWithoutAnAnswerIsUnreachable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	o := nodeapi.NewOrchestrator(server.URL, func() authmin.Secret { return authmin.Secret{} }, nil)
	for _, state := range []string{"hangs up", "does not listen"} {
		if err := o.Deregister(t.Context(), "gpu-1"); !errors.Is(err, nodeapi.ErrUnreachable) {
			t.Errorf("a server that %s: got %v", state, err)
		}
		server.Close()
	}
}

// TestTheOrchestratorsCertificateIsVerified: by the authorities that are named, by no
// other one, and by the system's where none is named.
func TestTheOrchestratorsCertificateIsVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer server.Close()
	its, other := x509.NewCertPool(), x509.NewCertPool()
	its.AddCert(server.Certificate())
	for name, c := range map[string]struct {
		authorities *x509.CertPool
		ok          bool
	}{"its authority": {its, true}, "another one": {other, false}, "the system's": {nil, false}} {
		o := nodeapi.NewOrchestrator(server.URL, func() authmin.Secret { return authmin.Secret{} }, c.authorities)
		defer o.CloseIdle()
		_, err := o.CatalogModel(t.Context(), "m")
		if _, unverified := errors.AsType[*tls.CertificateVerificationError](err); (err == nil) != c.ok || unverified == c.ok {
			t.Errorf("%s: got %v, want success %v", name, err, c.ok)
		}
	}
}
