package nodeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// maxReplyBytes bounds a JSON answer: that of a node with a thousand pools is about
// half as long.
const maxReplyBytes = 1 << 20

var poolID = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// ValidPoolID reports whether id may name a pool: 1 to 64 of a-z 0-9 _ . - and
// beginning with a letter or digit, so that it is one harmless path segment.
func ValidPoolID(id string) bool {
	return poolID.MatchString(id) && !strings.Contains(id, "..")
}

// Client calls one pool manager. It is safe for concurrent use.
type Client struct {
	base  string
	token func() string
	http  *http.Client
}

// New makes a client of the pool manager at base, e.g. https://gpu1.example.com.
// token is asked at every call, so that a rotated token needs no new client; an
// empty one sends no credential. hc may be nil; its redirect policy is replaced
// by "never". A time-out in hc would also end long streams: leave it unset.
func New(base string, token func() string, hc *http.Client) *Client {
	copied := http.Client{}
	if hc != nil {
		copied = *hc
	}
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(base, "/"), token: token, http: &copied}
}

// Dispatch runs one task in a pool. The context lives as long as the stream:
// ending it cancels the task. Close the stream.
func (c *Client) Dispatch(ctx context.Context, poolID string, r DispatchRequest) (*Stream, error) {
	response, err := c.send(ctx, http.MethodPost, poolID, "/dispatch", r)
	if err != nil {
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "text/event-stream" {
		defer response.Body.Close()
		return nil, foreignAnswer(response)
	}
	return newStream(ctx, response.Body), nil
}

// Pools lists the pools.
func (c *Client) Pools(ctx context.Context) ([]Status, error) {
	var list PoolList
	err := c.do(ctx, http.MethodGet, "/pools", nil, &list)
	return list.Pools, err
}

// Status gives the state of one pool.
func (c *Client) Status(ctx context.Context, poolID string) (Status, error) {
	var status Status
	err := c.call(ctx, http.MethodGet, poolID, "/status", nil, &status)
	return status, err
}

// Preload starts an engine from a template of the pool manager's configuration.
func (c *Client) Preload(ctx context.Context, poolID string, r PreloadRequest) (PoolState, error) {
	return c.command(ctx, poolID, "/preload", r)
}

// Drain refuses new tasks and lets running ones end within the deadline.
func (c *Client) Drain(ctx context.Context, poolID string, r DrainRequest) (PoolState, error) {
	return c.command(ctx, poolID, "/drain", r)
}

// Reload replaces the model; the old engine serves again when that fails.
func (c *Client) Reload(ctx context.Context, poolID string, r ReloadRequest) (PoolState, error) {
	return c.command(ctx, poolID, "/reload", r)
}

// Stop ends the engine and every task in it.
func (c *Client) Stop(ctx context.Context, poolID string) (PoolState, error) {
	return c.command(ctx, poolID, "/stop", nil)
}

func (c *Client) command(ctx context.Context, poolID, verb string, body any) (PoolState, error) {
	var state PoolState
	err := c.call(ctx, http.MethodPost, poolID, verb, body, &state)
	return state, err
}

func (c *Client) call(ctx context.Context, method, poolID, verb string, body, into any) error {
	path, err := poolPath(poolID, verb)
	if err != nil {
		return err
	}
	return c.do(ctx, method, path, body, into)
}

func (c *Client) send(ctx context.Context, method, poolID, verb string, body any) (*http.Response, error) {
	path, err := poolPath(poolID, verb)
	if err != nil {
		return nil, err
	}
	return c.roundTrip(ctx, method, path, body)
}

func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	response, err := c.roundTrip(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReplyBytes)).Decode(into); err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) roundTrip(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		// HTML escaping would make a task up to six times as large as its
		// caller's, and the pool manager takes no more than 1 MiB.
		var encoded bytes.Buffer
		encoder := json.NewEncoder(&encoded)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(body); err != nil {
			return nil, fmt.Errorf("encoding the body of %s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(bytes.TrimSuffix(encoded.Bytes(), []byte("\n")))
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("making the request %s %s: %w", method, path, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return c.roundTripOf(request)
}

// roundTripOf sends a request with the credential; every answer but 2xx is an error.
func (c *Client) roundTripOf(request *http.Request) (*http.Response, error) {
	if token := c.token(); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("calling the pool manager: %w", withoutQuery(err))
	}
	if response.StatusCode/100 != 2 {
		defer response.Body.Close()
		return nil, statusError(response)
	}
	return response, nil
}

// withoutQuery takes the query out of an error of a request: it may have what a client
// asked for, and the error is logged.
func withoutQuery(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	bare := *failed
	bare.URL, _, _ = strings.Cut(bare.URL, "?")
	return &bare
}

func poolPath(poolID, verb string) (string, error) {
	if !ValidPoolID(poolID) {
		return "", fmt.Errorf("pool id %s is not 1 to 64 of a-z 0-9 _ . -", strconv.Quote(poolID))
	}
	return "/pools/" + url.PathEscape(poolID) + verb, nil
}
