//go:build containers

package containers

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// callLimit bounds one request, its stream included.
const callLimit = 40 * time.Second

// A gateway is called at an address of this machine under its own name.
type gateway struct {
	name   string
	client *http.Client
}

// gatewayAt keeps connections: what waits for an answer asks often.
func gatewayAt(name, address string, roots *x509.CertPool) gateway {
	return gateway{name: name, client: &http.Client{Timeout: callLimit, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}}
}

// do returns status and body. token "": none is sent.
func (g gateway) do(method, path, token, body string) (int, string, error) {
	r, err := http.NewRequest(method, "https://"+g.name+":8443"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := g.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// wants is do with the status that is expected.
func (g gateway) wants(status int, method, path, token, body string) (string, error) {
	got, text, err := g.do(method, path, token, body)
	if err != nil || got != status {
		return text, fmt.Errorf("%s %s at %s: status %d, %v, want %d: %.300s", method, path, g.name, got, err, status, text)
	}
	return text, nil
}

// task runs one to its end, and returns its id.
func (g gateway) task(token, id string) error {
	body := fmt.Sprintf(`{"task_id":%q,"model_ref":"demo","prompt":"hello","max_tokens":8,"deadline_ms":30000}`, id)
	if _, err := g.wants(http.StatusAccepted, http.MethodPost, "/v2/tasks", token, body); err != nil {
		return err
	}
	events, err := g.wants(http.StatusOK, http.MethodGet, "/v2/tasks/"+id+"/events", token, "")
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(strings.NewReader(events)); lines.Scan(); {
		if lines.Text() == "event: end" {
			return nil
		}
	}
	return fmt.Errorf("task %s did not end well: %s", id, events)
}
