package caddymodule

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// A body is read alike in every version of HTTP: in one piece, a byte at a time, and with an
// end that the client does not announce. A refused one reaches no upstream, and the client
// reads why.
func TestABodyIsReadForItsModelInEveryVersion(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, true, limitedTokens, modelSite(up))
	bodies := map[string]struct {
		body string
		want int
		code string
	}{
		"allowed":        {`{"messages":[{"model":"big"}],"model":"tiny"}`, 200, ""},
		"another":        {`{"model":"big"}`, 403, "MODEL_NOT_ALLOWED"},
		"two":            {`{"model":"tiny","model":"big"}`, 400, "MODEL_AMBIGUOUS"},
		"text after":     {`{"model":"tiny"} {}`, 400, "MODEL_AMBIGUOUS"},
		"cut":            {`{"model":"tiny"`, 400, "MODEL_AMBIGUOUS"},
		"over its bound": {`{"model":"tiny","x":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "BODY_TOO_LARGE"},
	}
	for version, client := range clients(t) {
		for name, c := range bodies {
			ways := map[string]func() io.Reader{
				"whole":   func() io.Reader { return strings.NewReader(c.body) },
				"unnamed": func() io.Reader { return io.MultiReader(strings.NewReader(c.body)) },
			}
			if len(c.body) < 1<<10 {
				ways["by bytes"] = func() io.Reader { return iotest.OneByteReader(strings.NewReader(c.body)) }
			}
			for way, body := range ways {
				status, code := askVersion(t, client, g.base+chatPath, body)
				got, models := last()
				if status != c.want || code != c.code {
					t.Errorf("%s, %s, %s: got %d %s, want %d %s", version, name, way, status, code, c.want, c.code)
				}
				if c.want == 200 && got != c.body || c.want != 200 && models != "no request" {
					t.Errorf("%s, %s, %s: the upstream got %.100q", version, name, way, got)
				}
			}
		}
	}
}

// askVersion sends a body, again where its connection was reset before the answer was read.
func askVersion(t *testing.T, client *http.Client, url string, body func() io.Reader) (int, string) {
	t.Helper()
	for range 5 {
		r, err := http.NewRequest(http.MethodPost, url, body())
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		answer, err := client.Do(r)
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		var problem struct{ Code string }
		_ = json.Unmarshal(text, &problem)
		return answer.StatusCode, problem.Code
	}
	t.Fatal("every connection was reset")
	return 0, ""
}

// Over HTTP/1.1 the connection of a refused body is closed: what comes after the answer is
// not read as another request, however long the client goes on.
func TestARefusedBodyClosesItsConnection(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, true, limitedTokens, modelSite(up))
	conn, err := tls.Dial("tcp", g.address, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(liveLimit))
	smuggled := "POST " + chatPath + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + tokenInfer + "\r\nContent-Length: 16\r\n\r\n{\"model\":\"tiny\"}"
	begun := `{"model":"tiny","model":"big","x":"` + strings.Repeat("a", 2*heldPiece) // a body is judged by the piece
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", chatPath, tokenInfer, 1<<20, begun)
	answers := bufio.NewReader(conn)
	answer, err := http.ReadResponse(answers, nil) // before the rest of the body is sent
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != 400 || !answer.Close {
		t.Errorf("got %d, close %t, %v", answer.StatusCode, answer.Close, err)
	}
	_, _ = io.WriteString(conn, smuggled) // the gateway may have closed
	if _, err := http.ReadResponse(answers, nil); err == nil {
		t.Error("the connection has another answer")
	}
	if _, models := last(); models != "no request" {
		t.Error("the upstream was asked")
	}
}
