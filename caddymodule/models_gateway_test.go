package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// limitedTokens are a token with a list of models, and one without.
const limitedTokens = "\tauthmin {\n\t\ttoken few {env.TEST_INFER} infer {\n\t\t\tmodels tiny team-*\n\t\t}\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n"

// modelSite has a route of each place, and one that is in none.
func modelSite(up *upstream) string {
	return `
	authmin {
		public GET /health
		require infer /*
		model_in body /v1/chat/completions
		model_in body /api/copy
		model_in body:source /api/copy
		model_in body /api/show
		model_in body:name /api/show
		model_in body:native.body.model POST /tasks
		model_free GET /tasks
		model_in query /embed
		model_in form /v1/audio
		model_in path /v1/models/*
		model_free /v1/models
		max_body 1MiB
	}
	reverse_proxy ` + up.address() + "\n"
}

type modelCase struct {
	method, target, body string
	header               []string // name, value, …
	want                 int
	code                 string
}

const chatPath = "/v1/chat/completions"

var modelCases = map[string]modelCase{
	"a method that names none":    {"GET", "/tasks", ``, nil, 200, ""},
	"of it a query all the same":  {"GET", "/tasks?model=big", ``, nil, 403, "MODEL_NOT_ALLOWED"},
	"a method of no option":       {"PUT", "/tasks", `{"native":{"body":{"model":"tiny"}}}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"HEAD is not GET":             {"HEAD", "/tasks", ``, nil, 403, ""},
	"an allowed model":            {"POST", chatPath, `{"model":"tiny"}`, nil, 200, ""},
	"by a pattern":                {"POST", chatPath, ` {"x":[{"model":"big"}],"model":"team-a/b:c"} `, nil, 200, ""},
	"latest":                      {"POST", chatPath, `{"model":"tiny:latest"}`, nil, 200, ""},
	"escapes in a value":          {"POST", chatPath, `{"model":"t\u0069ny"}`, nil, 200, ""},
	"an escaped name":             {"POST", chatPath, `{"mode\u006c":"tiny"}`, nil, 200, ""},
	"another model":               {"POST", chatPath, `{"model":"big"}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"another in escapes":          {"POST", chatPath, `{"mode\u006c":"b\u0069g"}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"no body":                     {"POST", chatPath, ``, nil, 400, "MODEL_MISSING"},
	"no model":                    {"POST", chatPath, `{"messages":[]}`, nil, 400, "MODEL_MISSING"},
	"an empty model":              {"POST", chatPath, `{"model":""}`, nil, 400, "MODEL_MISSING"},
	"null":                        {"POST", chatPath, `{"model":null}`, nil, 400, "MODEL_MISSING"},
	"a number":                    {"POST", chatPath, `{"model":1}`, nil, 400, "MODEL_AMBIGUOUS"},
	"a list":                      {"POST", chatPath, `{"model":["tiny"]}`, nil, 400, "MODEL_AMBIGUOUS"},
	"a space at the end":          {"POST", chatPath, `{"model":"team- "}`, nil, 400, "MODEL_AMBIGUOUS"},
	"a long name":                 {"POST", chatPath, `{"model":"team-` + strings.Repeat("a", 256) + `"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"another spelling":            {"POST", chatPath, `{"Model":"tiny"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"trailing garbage":            {"POST", chatPath, `{"model":"tiny"}{"model":"big"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"query and body differ":       {"POST", chatPath + "?model=big", `{"model":"tiny"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"query and body alike":        {"POST", chatPath + "?model=tiny", `{"model":"tiny"}`, nil, 200, ""},
	"query in another spelling":   {"POST", chatPath + "?MODEL=tiny", `{"model":"tiny"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"an array in the query":       {"POST", chatPath + "?model%5B%5D=tiny", `{"model":"tiny"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"a semicolon in the query":    {"POST", chatPath + "?a=b;model=big", `{"model":"tiny"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"an encoded body":             {"POST", chatPath, `{"model":"tiny"}`, []string{"Content-Encoding", "gzip"}, 415, "CONTENT_ENCODING"},
	"a body over max_body":        {"POST", chatPath, `{"model":"tiny","x":"` + strings.Repeat("a", 1<<20) + `"}`, nil, 413, "BODY_TOO_LARGE"},
	"an upgrade":                  {"GET", "/v1/models", ``, []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 403, "MODEL_NOT_ALLOWED"},
	"a free route":                {"GET", "/v1/models", ``, nil, 200, ""},
	"a free route, and a model":   {"GET", "/v1/models?model=tiny", ``, nil, 200, ""},
	"a free route, and another":   {"GET", "/v1/models?a=b&model=big", ``, nil, 403, "MODEL_NOT_ALLOWED"},
	"a free route, in escapes":    {"GET", "/v1/models?%6Dodel=big", ``, nil, 403, "MODEL_NOT_ALLOWED"},
	"a route in neither":          {"GET", "/other", ``, nil, 403, "MODEL_NOT_ALLOWED"},
	"another case of a route":     {"POST", "/v1/Chat/completions", `{"model":"tiny"}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"a slash after a route":       {"POST", chatPath + "/", `{"model":"tiny"}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"a public route":              {"GET", "/health", ``, nil, 200, ""},
	"in the path":                 {"GET", "/v1/models/tiny", ``, nil, 200, ""},
	"another in the path":         {"GET", "/v1/models/big", ``, nil, 403, "MODEL_NOT_ALLOWED"},
	"in the query":                {"GET", "/embed?model=tiny", ``, nil, 200, ""},
	"twice in the query":          {"GET", "/embed?model=tiny&model=tiny", ``, nil, 400, "MODEL_AMBIGUOUS"},
	"another in the query":        {"GET", "/embed?model=big", ``, nil, 403, "MODEL_NOT_ALLOWED"},
	"none in the query":           {"GET", "/embed", ``, nil, 400, "MODEL_MISSING"},
	"an invalid escape":           {"GET", "/embed?model=tiny&%zz", ``, nil, 400, "MODEL_AMBIGUOUS"},
	"both members allowed":        {"POST", "/api/copy", `{"model":"tiny","source":"team-a"}`, nil, 200, ""},
	"one of two not":              {"POST", "/api/copy", `{"model":"tiny","source":"big"}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"name for model":              {"POST", "/api/show", `{"name":"tiny"}`, nil, 200, ""},
	"name and model alike":        {"POST", "/api/show", `{"name":"tiny","model":"tiny"}`, nil, 200, ""},
	"name and model differ":       {"POST", "/api/show", `{"name":"tiny","model":"team-a"}`, nil, 400, "MODEL_AMBIGUOUS"},
	"inside an object":            {"POST", "/tasks", `{"native":{"body":{"model":"tiny"}}}`, nil, 200, ""},
	"another inside an object":    {"POST", "/tasks", `{"native":{"body":{"model":"big"}}}`, nil, 403, "MODEL_NOT_ALLOWED"},
	"a second object":             {"POST", "/tasks", `{"native":{"body":{"model":"tiny"}},"Native":{"body":{"model":"big"}}}`, nil, 400, "MODEL_AMBIGUOUS"},
	"a form":                      {"POST", "/v1/audio", form(field("model", "tiny"), file("file", "a.wav", "\x00\r\n--")), formType, 200, ""},
	"another in a form":           {"POST", "/v1/audio", form(field("model", "big")), formType, 403, "MODEL_NOT_ALLOWED"},
	"none in a form":              {"POST", "/v1/audio", form(field("prompt", "x")), formType, 400, "MODEL_MISSING"},
	"JSON in place of a form":     {"POST", "/v1/audio", `{"model":"tiny"}`, []string{"Content-Type", "application/json"}, 400, "MODEL_AMBIGUOUS"},
	"a form in place of JSON":     {"POST", chatPath, form(field("model", "tiny")), formType, 400, "MODEL_AMBIGUOUS"},
	"a type that is another form": {"POST", chatPath, `{"model":"tiny"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, ""},
}

var formType = []string{"Content-Type", "multipart/form-data; boundary=cut"}

// form is a body of these parts, each with its header and content.
func form(parts ...string) string {
	return "--cut\r\n" + strings.Join(parts, "\r\n--cut\r\n") + "\r\n--cut--\r\n"
}

func field(name, value string) string {
	return "Content-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value
}

func file(name, filename, content string) string {
	return "Content-Disposition: form-data; name=\"" + name + "\"; filename=\"" + filename + "\"\r\nContent-Type: audio/wav\r\n\r\n" + content
}

// echoed answers with the body of the request and with its models.
func echoed(t *testing.T) (*upstream, func() (body, models string)) {
	t.Helper()
	bodies := make(chan string, 1)
	up := &upstream{seen: make(chan *http.Request, 1)}
	up.Server = newEcho(bodies, up.seen)
	t.Cleanup(up.Close)
	return up, func() (string, string) {
		select {
		case body := <-bodies:
			return body, (<-up.seen).Header.Get("X-Auth-Models")
		default:
			return "", "no request"
		}
	}
}

// ask sends a request. One that is refused while it is still sent may find its connection
// reset before it reads why: a client sends it again then, and so does this.
func ask(t *testing.T, base, token string, c modelCase) (status int, code string) {
	t.Helper()
	return askWith(t, base, token, c, func() io.Reader { return strings.NewReader(c.body) })
}

func askWith(t *testing.T, base, token string, c modelCase, body func() io.Reader) (status int, code string) {
	t.Helper()
	for range 5 {
		var err error
		if status, code, err = askOnce(t, base, token, c, body()); err == nil {
			return status, code
		} else if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
	}
	t.Fatal("every connection was reset")
	return 0, ""
}

func askOnce(t *testing.T, base, token string, c modelCase, body io.Reader) (status int, code string, err error) {
	t.Helper()
	r, err := http.NewRequest(c.method, base+c.target, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(c.header); i += 2 {
		r.Header.Set(c.header[i], c.header[i+1])
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	var problem struct{ Code string }
	_ = json.Unmarshal(text, &problem)
	return answer.StatusCode, problem.Code, nil
}

func TestModelsOfATokenAreEnforced(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, limitedTokens, modelSite(up))
	for name, c := range modelCases {
		t.Run(name, func(t *testing.T) {
			status, code := ask(t, g.base, tokenInfer, c)
			body, models := last()
			if status != c.want || code != c.code {
				t.Errorf("got %d %s, want %d %s", status, code, c.want, c.code)
			}
			switch {
			case c.want != 200 && models != "no request":
				t.Errorf("the upstream got %q", body)
			case c.want == 200 && body != c.body:
				t.Errorf("the upstream got %q, want %q", body, c.body)
			case c.want == 200 && c.target != "/health" && models != "tiny,team-*":
				t.Errorf("the upstream got the models %q", models)
			}
		})
	}
}

// A token without a list is not read, and reaches every route.
func TestATokenWithoutModelsIsNotRestricted(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, limitedTokens, modelSite(up))
	for _, c := range []modelCase{{"POST", chatPath, `{"model":"big"}`, nil, 200, ""}, {"POST", "/other", `no JSON`, nil, 200, ""}} {
		if status, _ := ask(t, g.base, tokenAdmin, c); status != 200 {
			t.Errorf("%s: got %d", c.target, status)
		}
		if body, models := last(); body != c.body || models != "*" {
			t.Errorf("%s: the upstream got %q and the models %q", c.target, body, models)
		}
	}
}

func TestModelsOfAKeyringLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	line := "few sha256:" + digestOf(tokenInfer).Hex() + " infer models="
	write := func(models string) {
		writeFile(t, path+".new", "# format 2\n"+line+models+"\n# end 1\n", 0o600)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("tiny")
	up, _ := echoed(t)
	g := serve(t, false, "\tauthmin {\n\t\ttoken_file "+path+"\n\t}\n", modelSite(up))
	big := modelCase{method: "POST", target: chatPath, body: `{"model":"big"}`}
	if status, code := ask(t, g.base, tokenInfer, big); status != 403 || code != "MODEL_NOT_ALLOWED" {
		t.Errorf("got %d %s, want the model refused", status, code)
	}
	write("tiny,big")
	testkit.Eventually(t, "the changed list", func() bool {
		status, _ := ask(t, g.base, tokenInfer, big)
		return status == 200
	})
}

// An identity that a proxy names may use the models of the option; without it none.
func TestModelsOfATrustedProxy(t *testing.T) {
	for option, want := range map[string]int{"": 403, "models tiny": 200, "models big": 403, "models *": 200} {
		t.Run(option, func(t *testing.T) {
			up, last := echoed(t)
			g := serve(t, false, "\tauthmin {\n\t\ttrust_proxy 127.0.0.1/32 {\n\t\t\tscopes infer\n\t\t\t"+option+"\n\t\t}\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n", modelSite(up))
			r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(`{"model":"tiny"}`))
			r.Header.Set("X-Auth-Identity", "alice")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("got %d, want %d", answer.StatusCode, want)
			}
			if _, models := last(); want == 200 && "models "+models != option {
				t.Errorf("the upstream got the models %q", models)
			}
		})
	}
}

// A body that does not say its length is bounded as it comes.
func TestABodyWithoutALengthIsBounded(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, limitedTokens, modelSite(up))
	body := `{"model":"tiny","x":"` + strings.Repeat("a", 1<<20) + `"}`
	status, _ := askWith(t, g.base, tokenInfer, modelCase{method: "POST", target: chatPath}, func() io.Reader { return io.MultiReader(strings.NewReader(body)) }) // chunked
	if _, models := last(); status != http.StatusRequestEntityTooLarge || models != "no request" {
		t.Errorf("got %d, and the upstream %s, want 413 and no request", status, models)
	}
}
