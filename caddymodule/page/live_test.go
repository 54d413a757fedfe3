package page

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
	"github.com/llorch/gateway/integration/testkit"
)

// record are the members of an audit record that these tests look at.
type record struct {
	Event     string
	Token     string
	Path      string
	UserAgent string `json:"user_agent"`
	Decision  string
}

// A holder of scope admin sees all requests; another sees its own alone, and neither the
// other tokens nor the clients that are locked out.
func TestEachHolderSeesItsOwn(t *testing.T) {
	s := serve(t, options, "")
	const agent = "<script>alert(1)</script>"
	boss, user := follow(t, s.page+livePath, asBoss), follow(t, s.page+livePath, asUser)
	if got := find[greeting](boss, "hello", nil); !got.Admin || got.Name != "boss" || got.FP6 != authmin.NewSecret(tokenBoss).Digest().Fingerprint() {
		t.Errorf("boss is greeted with %+v", got)
	}
	if got := find[greeting](user, "hello", nil); got.Admin || got.Name != "user" || !slices.Equal(got.Scopes, []authmin.Scope{authmin.ScopeInfer}) {
		t.Errorf("user is greeted with %+v", got)
	}
	if got := find[tokenList](boss, "tokens", nil); got.Total != 2 {
		t.Errorf("boss sees %d tokens, want 2", got.Total)
	}
	if got := find[tokenList](user, "tokens", nil); got.Total != 1 || got.Tokens[0].Name != "user" || got.Tokens[0].LastSeen == nil {
		t.Errorf("user sees the tokens %+v", got)
	}
	ask(t, t.Context(), http.MethodGet, s.other+"/admin?secret=1", "Authorization: "+asUser, "User-Agent: "+agent)
	ask(t, t.Context(), http.MethodGet, s.other+"/admin", "Authorization: "+asBoss)
	ask(t, t.Context(), http.MethodGet, s.other+"/v1/x", "Authorization: Bearer "+strings.Repeat("z", 40))
	mine := func(records []record) bool {
		return slices.ContainsFunc(records, func(r record) bool {
			return r.Path == "/admin" && r.Token == "user" && r.UserAgent == agent && r.Decision == "refuse"
		})
	}
	find(boss, "records", mine)
	find(user, "records", mine)
	refused := func(c counts) bool {
		return slices.ContainsFunc(c.Seconds, func(s caddymodule.Second) bool { return s.Reasons["scope"] == 1 })
	}
	find(boss, "counts", refused)
	find(user, "counts", refused)
	user.more("counts", 2) // so that all of it would be there
	for _, hidden := range []string{`"boss"`, `"unknown"`, "event: lockouts"} {
		if strings.Contains(user.all.String(), hidden) {
			t.Errorf("user sees %s:\n%s", hidden, user.all.String())
		}
	}
	for name, stream := range map[string]*streamed{"boss": boss, "user": user} {
		if text := stream.all.String(); strings.Contains(text, "canary") || strings.Contains(text, "<script") || strings.Contains(text, "secret=1") {
			t.Errorf("%s is sent a token, a tag or a query:\n%s", name, text)
		}
	}
}

// Clients that are locked out are shown to scope admin.
func TestLockoutsAreShown(t *testing.T) {
	s := serve(t, strings.Replace(options, "optional true", "optional true\n\t\tlockout 1 1m 1h", 1), "")
	boss := follow(t, s.page+livePath, asBoss)
	ask(t, t.Context(), http.MethodGet, s.other+"/v1/x", "Authorization: Bearer "+strings.Repeat("z", 40))
	got := find(boss, "lockouts", func(l lockoutList) bool { return l.Total == 1 })
	if got.Clients[0].Client != "127.0.0.1" {
		t.Errorf("got %+v", got)
	}
}

// The stream of a token ends when it is revoked, and that of another goes on.
func TestARevokedTokensStreamEnds(t *testing.T) {
	_, port, err := net.SplitHostPort(testkit.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	for protocol, page := range map[string]string{"HTTP/1.1": "http://" + testkit.FreeAddress(t), "HTTP/2.0": "https://localhost:" + port} {
		t.Run(protocol, func(t *testing.T) { revokeAStream(t, protocol, page) })
	}
}

func revokeAStream(t *testing.T, protocol, page string) {
	file := filepath.Join(t.TempDir(), "tokens")
	writeGuest(t, file, "infer state=active")
	s := serveAt(t, page, strings.Replace(options, "optional true", "token_file "+file, 1), "")
	testkit.Eventually(t, "a certificate", func() bool {
		answer, err := client.Get(s.page)
		if err == nil {
			answer.Body.Close()
		}
		return err == nil && answer.Proto == protocol
	})
	guest, user := follow(t, s.page+livePath, "Bearer "+tokenUser+"-guest"), follow(t, s.page+livePath, asUser)
	find[greeting](guest, "hello", nil)
	writeGuest(t, file, "infer state=revoked")
	guest.ends()
	after := ask(t, t.Context(), http.MethodGet, s.page+livePath, "Authorization: Bearer "+tokenUser+"-guest")
	if after.StatusCode != http.StatusUnauthorized {
		t.Errorf("then: status %d, want 401", after.StatusCode)
	}
	user.more("counts", 2)
}

// writeGuest puts a keyring in place with one token, which has these scopes and attributes.
func writeGuest(t *testing.T, file, rest string) {
	t.Helper()
	text := fmt.Sprintf("guest sha256:%s %s\n# end 1\n", authmin.NewSecret(tokenUser+"-guest").Digest().Hex(), rest)
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// A token that loses scope admin, and stays valid, sees its own alone from then on: its
// stream ends, and the next one is another holder's.
func TestATokenThatLosesAdminSeesItsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	writeGuest(t, file, "admin,infer")
	s := serve(t, strings.Replace(options, "optional true", "token_file "+file, 1), "")
	guest := follow(t, s.page+livePath, "Bearer "+tokenUser+"-guest")
	if got := find[greeting](guest, "hello", nil); !got.Admin {
		t.Fatalf("greeted with %+v", got)
	}
	writeGuest(t, file, "infer")
	guest.ends()
	if got := find[greeting](follow(t, s.page+livePath, "Bearer "+tokenUser+"-guest"), "hello", nil); got.Admin {
		t.Errorf("then greeted with %+v", got)
	}
}

// One identity cannot take all places, and leaves its own when it goes.
func TestReadersShareTheirPlaces(t *testing.T) {
	r := newReaders(20)
	var leave []func()
	for {
		one, ok := r.enter("greedy")
		if !ok {
			break
		}
		leave = append(leave, one)
	}
	if len(leave) != 18 {
		t.Errorf("one identity has %d of 20 places, want 18", len(leave))
	}
	for _, name := range []string{"second", "third"} {
		if _, ok := r.enter(name); !ok {
			t.Errorf("no place for the %s identity", name)
		}
	}
	if _, ok := r.enter("fourth"); ok {
		t.Error("a place beyond the bound")
	}
	for _, one := range leave {
		one()
	}
	if r.all != 2 || len(r.own) != 2 {
		t.Errorf("afterwards %d places are taken, by %v", r.all, r.own)
	}
}

// A reader beyond the bound is told so.
func TestAReaderBeyondTheBoundIsRefused(t *testing.T) {
	was := allReaders
	defer func() { allReaders = was }()
	allReaders = newReaders(1)
	s := serve(t, options, "")
	ctx, leave := context.WithCancel(t.Context())
	first := ask(t, ctx, http.MethodGet, s.page+livePath, "Authorization: "+asUser)
	second := ask(t, t.Context(), http.MethodGet, s.page+livePath, "Authorization: "+asBoss)
	var problem struct{ Code string }
	if err := json.NewDecoder(second.Body).Decode(&problem); err != nil || first.StatusCode != 200 || second.StatusCode != 429 || problem.Code != "TOO_MANY_READERS" {
		t.Errorf("statuses %d and %d, code %q, %v", first.StatusCode, second.StatusCode, problem.Code, err)
	}
	leave()
}

// A list of models is about engines: its holder may look at the page.
func TestAHolderWithModelsSeesThePage(t *testing.T) {
	withFew := strings.Replace(options, "\t\toptional", "\t\ttoken few {env.TEST_FEW} infer {\n\t\t\tmodels tiny\n\t\t}\n\t\toptional", 1)
	few := follow(t, serve(t, withFew, "").page+livePath, "Bearer "+tokenFew)
	if got := find[greeting](few, "hello", nil); got.Name != "few" {
		t.Errorf("got %+v", got)
	}
}
