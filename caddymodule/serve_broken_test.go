package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// uploads is a site with an upstream that is taken out of service after one failure.
const uploads = "\tauthmin {\n\t\tpublic POST /open\n\t\trequire infer /v1/*\n\t}\n\treverse_proxy %s {\n\t\tfail_duration 1h\n\t\tmax_fails 1\n\t}\n"

// stopsWaiting answers as our backends do when a body does not go on.
func stopsWaiting(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := io.Copy(io.Discard, r.Body); errors.Is(err, os.ErrDeadlineExceeded) {
		http.Error(w, "the upstream's words", http.StatusRequestTimeout)
	}
}

// An upload that stalls gets the upstream's own answer, while its connection is open.
func TestAStalledUploadGetsTheAnswerOfTheUpstream(t *testing.T) {
	g := serve(t, true, twoTokens, fmt.Sprintf(uploads, rawUpstream(t, stopsWaiting)))
	for version, client := range clients(t) {
		client.Timeout = hangs
		for _, length := range []int64{1000, -1} {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", g.base+"/v1/x", endless(t, 100))
			r.ContentLength = length
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			answer, body := send(t, client, r)
			if answer.StatusCode != 408 || !strings.Contains(body, "the upstream's words") {
				t.Errorf("%s, length %d: got %d %s, want the upstream's 408", version, length, answer.StatusCode, body)
			}
			if version == "HTTP/1.1" && !answer.Close {
				t.Errorf("%s, length %d: the connection stays open", version, length)
			}
		}
		expectServed(t, g, client, version)
	}
}

// expectServed wants a whole upload to be served: the upstream is in service.
func expectServed(t *testing.T, g *gateway, client *http.Client, name string) {
	t.Helper()
	r, _ := http.NewRequest("POST", g.base+"/v1/x", strings.NewReader("whole"))
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	if answer, body := send(t, client, r); answer.StatusCode != 200 {
		t.Errorf("%s, then a whole upload: got %d %s, want 200", name, answer.StatusCode, body)
	}
}

// A body that the client cuts is the client's error: it is told so, the upstream stays in
// service, and the log has no failure of it.
func TestACutUploadIsTheClientsError(t *testing.T) {
	var whole atomic.Int64
	upstream := rawUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole.Add(1)
		}
	})
	g := serve(t, false, twoTokens, "\tlog\n"+fmt.Sprintf(uploads, upstream))
	for name, body := range map[string]string{
		"short of its length": "Content-Length: 1000\r\n\r\nsome",
		"within a chunk":      "Transfer-Encoding: chunked\r\n\r\n40\r\nsome",
		"between chunks":      "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
		"no chunk":            "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nZZ\r\n",
	} {
		for _, path := range []string{"/v1/x", "/open"} {
			conn := dial(t, g.address)
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", path, tokenInfer, body)
			if name != "no chunk" {
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%s, %s: %v", path, name, err)
				continue
			}
			told, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != 400 || !answer.Close || !strings.Contains(string(told), `"BODY_CUT"`) {
				t.Errorf("%s, %s: got %d %s, want 400 that closes the connection", path, name, answer.StatusCode, told)
			}
		}
	}
	expectServed(t, g, plainClient(), "cut uploads")
	if n := whole.Load(); n != 1 {
		t.Errorf("the upstream got %d whole bodies, want the last alone", n)
	}
	if log := readFile(t, g.log); strings.Contains(log, "http.log.error") || strings.Contains(log, `"status":5`) {
		t.Errorf("the log says %.3000s", log)
	}
}

// A client that closes its connection, or on HTTP/2 and HTTP/3 its stream, has no answer.
// The upstream stays in service, too.
func TestAClientThatLeavesDuringItsUploadIsNoFailure(t *testing.T) {
	var began, cut atomic.Int64
	upstream := rawUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		began.Add(1)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			cut.Add(1)
		}
	})
	g := serve(t, true, twoTokens, "\tlog\n"+fmt.Sprintf(uploads, upstream))
	for version, client := range clients(t) {
		was := began.Load()
		ctx, cancel := context.WithCancel(t.Context())
		body, more := io.Pipe()
		r, _ := http.NewRequestWithContext(ctx, "POST", g.base+"/v1/x", body)
		r.ContentLength = 1000
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		done := make(chan error, 1)
		go func() {
			answer, err := client.Do(r)
			if err == nil {
				if answer.Body.Close(); answer.StatusCode == http.StatusBadRequest { // BODY_CUT was there before the client had left
					err = context.Canceled
				}
			}
			done <- err
		}()
		_, _ = io.WriteString(more, "some")
		testkit.Eventually(t, "the upstream to be asked", func() bool { return began.Load() > was })
		cancel()
		more.CloseWithError(context.Canceled) // net/http's client waits for that
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", version, err)
		}
		testkit.Eventually(t, "the upstream to see it cut", func() bool { return cut.Load() == began.Load() })
		expectServed(t, g, client, version)
		cut.Add(1) // not that one
	}
	if log := readFile(t, g.log); strings.Contains(log, "http.log.error") || strings.Contains(log, `"status":5`) {
		t.Errorf("the log says %.3000s", log)
	}
}

// What a handler before the guard says of a body stays its own.
func TestABodyThatIsTooLargeIsNotCut(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		shadow bool
		want   *authmin.Problem
	}{
		"cut":             {io.ErrUnexpectedEOF, false, &problemBodyCut},
		"late":            {os.ErrDeadlineExceeded, false, &problemBodyLate},
		"public and late": {errLateBody, false, &problemBodyLate},
		"too large":       {&http.MaxBytesError{Limit: 1}, false, nil},
		"closed":          {http.ErrBodyReadAfterClose, false, nil},
		"a shadow guard":  {io.ErrUnexpectedEOF, true, nil},
	} {
		b := &sentBody{ReadCloser: failing{c.err}, left: 10, shadow: c.shadow}
		_, err := b.Read(make([]byte, 1))
		if b.broken.Load() != c.want || errors.Is(err, context.Canceled) != (c.want != nil) || !errors.Is(err, c.err) || b.whole.Load() {
			t.Errorf("%s: got %v, %v", name, b.broken.Load(), err)
		}
	}
}

// failing is a body that cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (failing) Close() error               { return nil }
