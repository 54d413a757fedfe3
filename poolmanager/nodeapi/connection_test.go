package nodeapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// raw is the URL of a server that answers each request with these bytes.
func raw(t *testing.T, answer string) string { return "http://" + testkit.RawAnswer(t, answer) }

// net/http quotes what is not HTTP. A stream's error is logged and must not repeat it.
func TestAStreamsErrorHasNoWordsOfThePeer(t *testing.T) {
	const said = "canary of the answer"
	for name, c := range map[string]struct {
		kind string
		next func(*nodeapi.Client) error
	}{
		"a task": {"text/event-stream", func(c *nodeapi.Client) error {
			stream, err := c.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{})
			if err != nil {
				return err
			}
			defer stream.Close()
			_, err = stream.Next()
			return err
		}},
		"a call": {nodeapi.CallContentType, func(c *nodeapi.Client) error {
			stream, err := c.Call(t.Context(), "p", nodeapi.CallRequest{Operation: "chat"})
			if err != nil {
				return err
			}
			defer stream.Close()
			_, err = stream.Next()
			return err
		}},
	} {
		head := "HTTP/1.1 200 OK\r\nContent-Type: " + c.kind + "\r\nTransfer-Encoding: chunked\r\n\r\n"
		for what, r := range map[string]struct{ rest, want string }{
			"a trailer that is no header": {"0\r\n" + said + "\r\n\r\n", "(the answer is not HTTP)"},
			"an end without a last event": {"0\r\n\r\n", "(no end "},
			"an end in the middle":        {"5\r\n: ", "(no end "},
		} {
			url := raw(t, head+r.rest)
			err := c.next(nodeapi.New(url, func() string { return "t" }, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
			if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), r.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, %s: got %v, want an unexpected end %s", name, what, err, r.want)
			}
		}
	}
}

func TestAnErrorOfARequestIsLoggedWithoutWordsOfThePeer(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(url string) error {
		_, err := client.Get(url)
		return fmt.Errorf("asking: %w", err)
	}
	if err := nodeapi.Loggable(get(raw(t, "canary\r\n\r\n"))); !errors.Is(err, nodeapi.ErrNotHTTP) || strings.Contains(err.Error(), "canary") {
		t.Errorf("not HTTP: got %v", err)
	}
	if err := nodeapi.Loggable(get(raw(t, ""))); !errors.Is(err, io.EOF) {
		t.Errorf("no answer: got %v, want EOF", err)
	}
	refused := get("http://127.0.0.1:1/x")
	if err := nodeapi.Loggable(refused); err != refused || !strings.HasPrefix(nodeapi.ConnectionText(refused), `Get http://127.0.0.1:1/x: dial tcp`) {
		t.Errorf("no server: got %v, and the text %q", err, nodeapi.ConnectionText(refused))
	}
}

// An orchestrator's address may lead to anything.
func TestAnUnreachableOrchestratorsErrorHasNoWordsOfThePeer(t *testing.T) {
	o := nodeapi.NewOrchestrator(raw(t, "canary\r\n\r\n"), func() authmin.Secret { return authmin.Secret{} }, nil)
	_, err := o.Heartbeat(t.Context(), "n", nodeapi.HeartbeatRequest{})
	if !errors.Is(err, nodeapi.ErrUnreachable) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}
