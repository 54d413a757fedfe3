package authmin_test

import (
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"

// The texts are net/http's own, of the Go that builds this.
func TestNoWordsOfThePeerAreLeftInAnErrorOfHTTP(t *testing.T) {
	const said = "canary of the prompt"
	for name, answer := range map[string]string{
		"no status line":     "canary" + "\r\n\r\n",
		"a status code":      "HTTP/1.1 canary\r\n\r\n",
		"a version":          "HTTP/canary 200 OK\r\n\r\n",
		"a header line":      "HTTP/1.1 200 OK\r\n" + said + "\r\n\r\n",
		"a first line":       "HTTP/1.1 200 OK\r\n " + said + "\r\n\r\n",
		"a length":           "HTTP/1.1 200 OK\r\nContent-Length: " + said + "\r\n\r\n",
		"two lengths":        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: " + said + "\r\n\r\n",
		"an encoding":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + said + "\r\n\r\n",
		"two encodings":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: " + said + "\r\n\r\n",
		"a trailer's line":   chunked + "0\r\n" + said + "\r\n\r\n",
		"an announced field": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
		"a chunk's length":   chunked + said + "\r\n",
		"a redirect":         "HTTP/1.1 302 Found\r\nLocation: http://%zz/" + said + "\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			err := errorOf(t, answer)
			if err == nil {
				t.Fatal("no error")
			}
			if got := authmin.RedactPeer(err.Error()); strings.Contains(got, "canary") {
				t.Errorf("%q is left as %q", err, got)
			}
		})
	}
}

func TestOtherErrorsKeepTheirText(t *testing.T) {
	for _, text := range []string{"", "dial tcp 127.0.0.1:1: connect: connection refused", "unexpected EOF\n"} {
		if got := authmin.RedactPeer(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// What comes after an answer is in net/http's message to the standard library's log.
func TestNoWordsOfThePeerAreLeftInTheStandardLog(t *testing.T) {
	was, flags := log.Writer(), log.Flags()
	t.Cleanup(func() { log.SetOutput(was); log.SetFlags(flags) })
	var text testkit.Buffer
	log.SetOutput(&text)
	if err := errorOf(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokcanary of the prompt"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "net/http's message", func() bool { return strings.Contains(text.String(), "canary of the prompt") })
	if got := authmin.RedactPeer(text.String()); strings.Contains(got, "canary") || !strings.HasSuffix(got, "starting with [redacted]\n") {
		t.Errorf("it is left as %q", got)
	}
}

// errorOf is the error that a client gets of a server with these bytes for an answer.
func errorOf(t *testing.T, answer string) error {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	response, err := client.Get("http://" + testkit.RawAnswer(t, answer))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.ReadAll(response.Body)
	return err
}
