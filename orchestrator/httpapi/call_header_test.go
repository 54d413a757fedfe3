package httpapi

import (
	"net/http"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestANodeTellsNoClientToWaitForEver: what it says in Retry-After is bounded here as well,
// since a node may be hostile, and what is no time is left out.
func TestANodeTellsNoClientToWaitForEver(t *testing.T) {
	s := serve(t, Options{})
	var told string
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.value(nodeapi.FrameHead, nodeapi.CallHead{Status: 200, ContentType: "application/json", Header: map[string]string{"Retry-After": told}})
		out.send(nodeapi.FrameData, "{}")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	for _, c := range [][2]string{{"7", "7"}, {"99999999999999999999", "86400"}, {"soon", ""}} {
		told = c[0]
		res := s.send(t.Context(), "POST", "/v1/chat/completions", `{"model":"demo"}`)
		if got := res.Header.Get("Retry-After"); res.StatusCode != 200 || got != c[1] {
			t.Errorf("%s: got %s and %q, want %q", told, res.Status, got, c[1])
		}
		_ = res.Body.Close()
	}
}
