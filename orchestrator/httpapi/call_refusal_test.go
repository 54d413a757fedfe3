package httpapi

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestARefusalWithoutABodyHasTheProtocolsShape, its status and the engine's words: what
// answered was no API, but the engine's router or a proxy.
func TestARefusalWithoutABodyHasTheProtocolsShape(t *testing.T) {
	s := serve(t, Options{})
	var asked atomic.Int64
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		asked.Add(1)
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_REJECTED", Message: "the engine answered 404 (text/plain): no page", Status: 404})
	})
	for path, shape := range map[string]string{
		"/v1/chat/completions":      `"error":{"code":"ENGINE_REJECTED","message":"the engine answered 404 (text/plain): no page","param":null,"type":"invalid_request_error"}`,
		"/v1/responses":             `"error":{"code":"ENGINE_REJECTED","message":"the engine answered 404 (text/plain): no page","param":null,"type":"invalid_request_error"}`,
		"/v1/messages":              `"message":"the engine answered 404 (text/plain): no page","type":"not_found_error"}`,
		"/v1/messages/count_tokens": `"message":"the engine answered 404 (text/plain): no page","type":"not_found_error"}`,
		"/api/chat":                 `"error":"the engine answered 404 (text/plain): no page"`,
	} {
		for _, stream := range []string{"true", "false"} {
			asked.Store(0)
			res := s.send(t.Context(), "POST", path, `{"model":"demo","stream":`+stream+`}`)
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			text := string(body)
			if res.StatusCode != 404 || !strings.Contains(text, shape) || res.Header.Get("X-Should-Retry") != "false" || asked.Load() != 1 {
				t.Errorf("%s, stream %s: got %d %s, asked %d times; want %s", path, stream, res.StatusCode, text, asked.Load(), shape)
			}
		}
	}
}
