package page

import (
	"context"
	"crypto/tls"
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
	// upstreamTimeout bounds a connection to the orchestrator, and the time until it
	// begins to answer.
	upstreamTimeout = 5 * time.Second
	// maxAnswer bounds an answer of the orchestrator.
	maxAnswer = 4 << 20
)

var errTooLong = errors.New("an answer of the orchestrator is too long for the page")

// upstream asks the orchestrator in the name of a page's reader.
type upstream struct {
	base   *url.URL
	client *http.Client
}

// newUpstream makes a client that verifies certificates, follows no redirect, and uses no
// proxy of the environment.
func newUpstream(address, authorities string) (*upstream, error) {
	base, err := parseUpstream(address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities != "" {
		if config.RootCAs, err = authmin.AuthoritiesFromFile(authorities); err != nil {
			return nil, fmt.Errorf("orchestrator_ca: %w", err)
		}
	}
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: upstreamTimeout}).DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: upstreamTimeout, ResponseHeaderTimeout: upstreamTimeout, IdleConnTimeout: time.Minute,
		MaxIdleConnsPerHost: maxReaders,
	}
	return &upstream{base, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

var errUpstream = errors.New("orchestrator: want https://HOST[:PORT], or http://127.0.0.1:PORT for one on this machine: the gateway's credential is sent there")

// parseUpstream parses the orchestrator's address.
func parseUpstream(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errUpstream
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !authmin.IsLoopbackHost(u.Hostname())) {
		return nil, errUpstream
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// identityOf returns what the guard has set for an upstream, the same that a proxy behind
// it sends: the gateway's own credential and the identity. The guard has removed the
// client's fields of these names, and its token.
func identityOf(h http.Header) http.Header {
	identity := http.Header{}
	for name, values := range h {
		if name == "Authorization" || name == authmin.HeaderCorrelationID || strings.HasPrefix(name, "X-Auth-") {
			identity[name] = values
		}
	}
	return identity
}

// statusError is an answer other than 200.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("the orchestrator answered %d", int(e)) }

// get asks for a path, which may have a query. The caller closes the body.
func (u *upstream) get(ctx context.Context, identity http.Header, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base.String()+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header = identity.Clone()
	answer, err := u.client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, statusError(answer.StatusCode)
	}
	return answer, nil
}

// read asks for a path and decodes the answer into the members that a page shows.
func (u *upstream) read(ctx context.Context, identity http.Header, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	answer, err := u.get(ctx, identity, path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = errTooLong
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
