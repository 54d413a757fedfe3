package page

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what a real gateway has
	"github.com/llorch/gateway/integration/testkit"
)

// The tokens of these tests. Whatever prints one of them leaks.
const (
	tokenUser     = "canary-user-0123456789abcdefghijklmnopq"
	tokenFew      = "canary-few-0123456789abcdefghijklmnopqr"
	tokenBoss     = "canary-boss-0123456789abcdefghijklmnopq"
	tokenUpstream = "canary-upstream-0123456789abcdefghijklm"
	asUser        = "Bearer " + tokenUser
	asBoss        = "Bearer " + tokenBoss
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

// runTests keeps Caddy's files out of the user's home.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		os.Setenv(name, dir)
	}
	os.Setenv("TEST_USER", tokenUser)
	os.Setenv("TEST_FEW", tokenFew)
	os.Setenv("TEST_BOSS", tokenBoss)
	os.Setenv("TEST_UPSTREAM", tokenUpstream)
	os.Setenv("OTHER_HOST", "gateway.example.com")
	return m.Run()
}

// options are the global options of every test. The bypass is on: the page must not take it.
const options = `{
	admin off
	persist_config off
	grace_period 1s
	auto_https disable_redirects
	skip_install_trust
	local_certs
	log {
		output file LOG
	}
	authmin {
		token user {env.TEST_USER} infer
		token boss {env.TEST_BOSS} admin
		optional true
	}
}
`

func adapt(t *testing.T, text string) ([]byte, error) {
	t.Helper()
	text = strings.ReplaceAll(text, "LOG", filepath.Join(t.TempDir(), "log"))
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile.Format([]byte(text)), map[string]any{"filename": "Caddyfile"})
	for _, warning := range warnings {
		t.Errorf("adapter warns: %s", warning)
	}
	return config, err
}

// validate does what `llorch validate` does, and opens no port.
func validate(t *testing.T, config []byte) error {
	t.Helper()
	var parsed caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &parsed); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&parsed)
}

// site is a running gateway with a page, and a guarded site beside it.
type site struct {
	page, other string // URLs
}

// serve runs a gateway. block is in the page's block.
func serve(t *testing.T, globals, block string) site {
	t.Helper()
	return serveAt(t, "http://"+testkit.FreeAddress(t), globals, block)
}

// serveAt is serve with the page at a URL.
func serveAt(t *testing.T, page, globals, block string) site {
	t.Helper()
	return load(t, page, globals+fmt.Sprintf("PAGE {\n\tbind 127.0.0.1\n\tauthmin_page {\n%s\n\t}\n}\nOTHER {\n\tbind 127.0.0.1\n\tauthmin {\n\t\tpublic /open\n\t\trequire infer /v1/*\n\t\trequire admin /admin\n\t}\n\trespond ok\n}\n", block))
}

// load runs a gateway whose configuration names the sites PAGE, which is given, and OTHER.
func load(t *testing.T, page, text string) site {
	t.Helper()
	other := "http://" + testkit.FreeAddress(t)
	config, err := adapt(t, strings.NewReplacer("PAGE {", page+" {", "OTHER {", other+" {").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return site{page, other}
}

// client keeps no connection, so that no test inherits one. The authority of its
// certificates is Caddy's internal one, made for this test.
var client = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
}}

// ask sends a request with header fields given as "Name: value". The caller reads and
// closes the body.
func ask(t *testing.T, ctx context.Context, method, url string, fields ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// streamed is an open stream of the page.
type streamed struct {
	t      *testing.T
	ctx    context.Context // of the request
	lines  *bufio.Scanner
	all    strings.Builder
	events []event
}

type event struct{ kind, data string }

func follow(t *testing.T, url, as string, fields ...string) *streamed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	t.Cleanup(cancel)
	answer := ask(t, ctx, http.MethodGet, url, append(fields, "Authorization: "+as)...)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d", url, answer.StatusCode)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 2*maxMessage)
	return &streamed{t: t, ctx: ctx, lines: lines}
}

// ends reads until the gateway ends the stream.
func (s *streamed) ends() {
	s.t.Helper()
	for s.lines.Scan() {
	}
	if s.ctx.Err() != nil {
		s.t.Fatal("the gateway did not end the stream")
	}
}

// read reads one more event; it returns false when the stream has ended.
func (s *streamed) read() bool {
	kind := ""
	for s.lines.Scan() {
		line := s.lines.Text()
		s.all.WriteString(line + "\n")
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = name
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			s.events = append(s.events, event{kind, data})
			return true
		}
	}
	return false
}

// find returns the first event of a kind that holds, and reads until there is one. It
// fails when the stream ends before.
func find[T any](s *streamed, kind string, holds func(T) bool) (data T) {
	s.t.Helper()
	for i := 0; ; i++ {
		if i == len(s.events) && !s.read() {
			s.t.Fatalf("the stream ended before event %s: %v\n%s", kind, s.lines.Err(), s.all.String())
		}
		if s.events[i].kind != kind {
			continue
		}
		data = *new(T)
		if err := json.Unmarshal([]byte(s.events[i].data), &data); err != nil {
			s.t.Fatalf("event %s: %v in %s", kind, err, s.events[i].data)
		}
		if holds == nil || holds(data) {
			return data
		}
	}
}

// more reads until there are so many more events of a kind.
func (s *streamed) more(kind string, count int) {
	s.t.Helper()
	for count > 0 {
		if !s.read() {
			s.t.Fatalf("the stream ended: %v", s.lines.Err())
		}
		if s.events[len(s.events)-1].kind == kind {
			count--
		}
	}
}
