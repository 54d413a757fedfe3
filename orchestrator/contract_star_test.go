package orchestrator_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
)

// net/http would answer `OPTIONS *` by itself, before any credential is asked for.
func TestAStarNeedsACredentialToo(t *testing.T) {
	s := start(t, app.Options{})
	for _, c := range []struct {
		method, fields string
		want           int
	}{
		{"OPTIONS", "", 401},
		{"GET", "", 401},
		{"OPTIONS", "Authorization: Bearer wrong-wrong-wrong-wrong-wrong-wrong-wrong\r\n", 401},
		{"OPTIONS", "Authorization: Bearer " + s.direct.Reveal() + "\r\n", 404},
	} {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s * HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n", c.method, c.fields)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("%s * with %d bytes of credential: got %d, want %d", c.method, len(c.fields), answer.StatusCode, c.want)
		}
	}
}
