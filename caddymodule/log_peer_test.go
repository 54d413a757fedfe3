package caddymodule

import (
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// net/http quotes what an upstream sends that does not keep to HTTP. It may be a part of an
// answer, which no log may show.
func TestNoLogShowsWhatAnUpstreamSends(t *testing.T) {
	const said = "canary of the answer"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
	for name, c := range map[string]struct{ answer, logged string }{
		"no status line":   {"canary\r\n\r\n", "malformed HTTP response"},
		"a header's line":  {"HTTP/1.1 200 OK\r\n" + said + "\r\n\r\n", "malformed MIME header"},
		"a trailer's line": {chunked + said + "\r\n\r\n", "malformed MIME header"},
		"after the answer": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + said, "Unsolicited response"},
	} {
		t.Run(name, func(t *testing.T) {
			was := log.Writer()
			t.Cleanup(func() { log.SetOutput(was) })
			var standard testkit.Buffer
			log.SetOutput(&standard)
			up := testkit.RawAnswer(t, c.answer)
			g := serve(t, false, "\tdebug\n"+twoTokens, "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up)
			testkit.Eventually(t, "the shield", func() bool { _, ok := log.Writer().(stdShield); return ok })
			r, _ := http.NewRequest("GET", g.base+"/v1/x", nil)
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			if answer, err := plainClient().Do(r); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
			logged := func() string { return readFile(t, g.log) + standard.String() }
			testkit.Eventually(t, c.logged, func() bool { return strings.Contains(logged(), c.logged) })
			for line := range strings.Lines(logged()) {
				if strings.Contains(line, "canary") {
					t.Errorf("a log says %s", line)
				}
			}
		})
	}
}
