package nodeapi_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAnEventStreamIsKnownByItsMediaType(t *testing.T) {
	for kind, want := range map[string]bool{
		"text/event-stream": true, "text/event-stream; charset=utf-8": true, "Text/Event-Stream;charset=UTF-8": true,
		"text/event-streamx": false, "text/html": false, "": false, "text/event-stream-error; x=y": false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{kind}
			io.WriteString(w, "event: end\ndata: {}\n\n")
		}))
		stream, err := nodeapi.New(server.URL, func() string { return "secret-token" }, server.Client()).Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x"})
		var foreign *nodeapi.ForeignError
		if (err == nil) != want || !want && !errors.As(err, &foreign) {
			t.Errorf("%q: got %v, want a stream: %v", kind, err, want)
		}
		if err == nil {
			stream.Close()
		}
		server.Close()
	}
}
