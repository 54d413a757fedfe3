package attacks_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// modelCase is a request of a token that may use tiny and team-*.
type modelCase struct {
	Title   string   `json:"title"`
	Method  string   `json:"method"` // default: POST
	Path    string   `json:"path"`
	Headers []string `json:"headers"`
	Body    string   `json:"body"` // latin-1: one code point, one byte
	Status  int      `json:"status"`
	Code    string   `json:"code"`
}

// modelGuard is where requests name the model.
const modelGuard = "model_in body /v1/chat/completions\nmodel_in form /v1/audio\nmodel_free /v1/models\nmodel_in body POST /v1/tasks\nmodel_free GET /v1/tasks\n"

// TestModelsAreNotTalkedAround: no request that an upstream could read as one for another
// model gets through, in one piece or byte by byte; what is allowed arrives in its whole length.
func TestModelsAreNotTalkedAround(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/models.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []modelCase
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 79 {
		t.Fatalf("%d cases, want 79: has one gone missing?", len(cases))
	}
	upstream := startEcho(t)
	tokens := writeFile(t, "tokens", "# format 2\n"+keyring(keyringLine("few", tokenOK, "infer", "models=tiny,team-*")))
	address, _ := site{authmin: "token_file " + tokens + "\nlockout off", bind: "bind 127.0.0.1", guard: modelGuard}.start(t, upstream.address())
	for _, c := range cases {
		for name, wire := range map[string][]byte{"whole": c.wire(t, address, false), "by bytes": c.wire(t, address, true)} {
			t.Run(c.Title+", "+name, func(t *testing.T) {
				raw, err := exchange(address, wire, 1)
				if err != nil {
					t.Fatal(err)
				}
				got := newOutcome(wire, raw, 0)
				if len(got.responses) == 0 || got.statuses()[0] != c.Status || c.Code != "" && !strings.Contains(string(raw), `"code":"`+c.Code+`"`) {
					t.Fatalf("want %d %s, got %.400q", c.Status, c.Code, raw)
				}
				if got.reached != (c.Status == 200) {
					t.Errorf("reached the upstream: %t", got.reached)
				}
				if sent := utf8.RuneCountInString(c.Body); got.up != nil && got.up.BodyLen != int64(sent) {
					t.Errorf("the upstream got %d bytes of %d", got.up.BodyLen, sent)
				}
			})
		}
	}
}

// wire is the request, its body in one piece or in chunks of one byte.
func (c modelCase) wire(t *testing.T, address string, chunked bool) []byte {
	t.Helper()
	body, err := latin1(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", cmp.Or(c.Method, "POST"), c.Path, address, bearer(tokenOK))
	connection := "Connection: close\r\n"
	for _, line := range c.Headers {
		if strings.HasPrefix(line, "Connection:") {
			connection = ""
		}
		b.WriteString(line + "\r\n")
	}
	b.WriteString(connection)
	if !chunked {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return b.Bytes()
	}
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for _, c := range body {
		b.Write([]byte{'1', '\r', '\n', c, '\r', '\n'})
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}
