package nodeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// OrchestratorTimeout bounds one call to the orchestrator.
	OrchestratorTimeout = 10 * time.Second
	// orchestratorConnectTimeout leaves half of a call's time for its answer.
	orchestratorConnectTimeout = OrchestratorTimeout / 2
	orchestratorIdleTimeout    = 2 * time.Minute
	// maxCode bounds the code of a refusal that is kept.
	maxCode = 64
	// maxOrchestratorBytes bounds what is read of an orchestrator's answer.
	maxOrchestratorBytes = 64 << 10
)

// ErrUnreachable is wrapped by the error of a call that got no answer.
var ErrUnreachable = errors.New("calling the orchestrator")

// Orchestrator is the other direction: it calls an orchestrator as a node does. It is
// safe for concurrent use.
type Orchestrator struct {
	base  string
	token func() authmin.Secret
	http  *http.Client
}

// NewOrchestrator makes a client of the orchestrator at base. token is asked at each
// call, so that a rotated one needs no restart.
//
// The client carries the node's tokens, so it connects to base only and follows no
// redirect. HTTPS_PROXY is not read: it is often set for other programs, and that proxy
// would see both addresses, or, where its certificate is trusted, the tokens.
//
// authorities are the only ones that it trusts; nil: the system's.
func NewOrchestrator(base string, token func() authmin.Secret, authorities *x509.CertPool) *Orchestrator {
	return &Orchestrator{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: orchestratorConnectTimeout}).DialContext,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities},
			TLSHandshakeTimeout: orchestratorConnectTimeout, IdleConnTimeout: orchestratorIdleTimeout,
		},
	}}
}

// CloseIdle closes the connections that no call uses.
func (o *Orchestrator) CloseIdle() { o.http.CloseIdleConnections() }

// Register introduces a node, and again after the orchestrator has forgotten it.
func (o *Orchestrator) Register(ctx context.Context, r RegisterRequest) (answer RegisterResponse, err error) {
	err = o.call(ctx, http.MethodPost, "/v2/nodes/register", r, &answer)
	return answer, err
}

// Heartbeat sends the state of a node's pools. A StatusError of 404 means that the
// orchestrator does not know the node, which has to register again.
func (o *Orchestrator) Heartbeat(ctx context.Context, nodeID string, h HeartbeatRequest) (answer HeartbeatResponse, err error) {
	err = o.call(ctx, http.MethodPost, "/v2/nodes/"+url.PathEscape(nodeID)+"/heartbeat", h, &answer)
	return answer, err
}

// HoldHeartbeat is Heartbeat that asks for its answer only after wait, in whole seconds: it
// fails at once when the orchestrator is lost. An orchestrator of an earlier version answers
// at once.
func (o *Orchestrator) HoldHeartbeat(ctx context.Context, nodeID string, h HeartbeatRequest, wait time.Duration) (answer HeartbeatResponse, err error) {
	err = o.callWithin(ctx, OrchestratorTimeout+wait, http.MethodPost, "/v2/nodes/"+url.PathEscape(nodeID)+"/heartbeat", h, &answer,
		func(r *http.Request) { r.Header.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds()))) })
	return answer, err
}

// Deregister takes a node away.
func (o *Orchestrator) Deregister(ctx context.Context, nodeID string) error {
	return o.call(ctx, http.MethodDelete, "/v2/nodes/"+url.PathEscape(nodeID), nil, nil)
}

// CatalogModel reads an entry of the catalog.
func (o *Orchestrator) CatalogModel(ctx context.Context, id string) (m Model, err error) {
	err = o.call(ctx, http.MethodGet, "/v2/catalog/models/"+url.PathEscape(id), nil, &m)
	return m, err
}

func (o *Orchestrator) call(ctx context.Context, method, path string, body, into any) error {
	return o.callWithin(ctx, OrchestratorTimeout, method, path, body, into, func(*http.Request) {})
}

func (o *Orchestrator) callWithin(ctx context.Context, limit time.Duration, method, path string, body, into any, edit func(*http.Request)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding %s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, o.base+path, reader)
	if err != nil {
		return fmt.Errorf("making %s %s: %w", method, path, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	edit(request)
	if token := o.token(); !token.IsZero() {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	response, err := o.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, Loggable(err))
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		refused := statusError(response)
		refused.Server, refused.Code, refused.Hint = "orchestrator", refused.Code[:min(len(refused.Code), maxCode)], "" // it is logged
		return fmt.Errorf("%s %s: %w", method, path, refused)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxOrchestratorBytes)).Decode(into); err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return nil
}
