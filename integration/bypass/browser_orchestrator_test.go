//go:build browser

package bypass_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// upStarts is how long `llorch up` may take on a slow machine.
const upStarts = 2 * time.Minute

// startUpWithPages is `llorch up`, and before it a gateway for the pages of an origin, as
// on another host. It returns the gateway's URL.
func startUpWithPages(t *testing.T, origin string) (base string) {
	t.Helper()
	secret := authmin.RandomSecret().Reveal()
	u := gatewaytest.StartUp(t, []string{"LLORCH_API_TOKEN=" + secret}, "--engine", "demo")
	testkit.Within(t, upStarts, "the orchestrator", u.Healthy)
	address := testkit.FreeAddress(t)
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	authmin {
		token page {env.PAGE_TOKEN} infer
		lockout off
	}
}
http://%s {
	bind 127.0.0.1
	authmin pages {
		cors %s
		require infer POST /v1/chat/completions
		upstream_token {env.UP_TOKEN}
	}
	reverse_proxy %s
}
`, address, origin, u.Address)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"PAGE_TOKEN=" + pageToken, "UP_TOKEN=" + secret}
	gatewaytest.Start(t, env, "run", "--adapter", "caddyfile", "--config", file).Listening(t, address)
	return "http://" + address
}

// chatPage is a function of pages: it streams a chat as an SDK does, and tells what it
// could read.
const chatPage = `async (base, token, model) => {
	try {
		const answer = await fetch(base + "/v1/chat/completions", {
			method: "POST",
			headers: {"authorization": "Bearer " + token, "content-type": "application/json", "idempotency-key": crypto.randomUUID(), "x-stainless-lang": "js"},
			body: JSON.stringify({model, stream: true, messages: [{role: "user", content: "hello"}]}),
		});
		return {type: answer.type, status: answer.status, body: await answer.text(), id: answer.headers.get("x-request-id") ?? "",
			task: answer.headers.get("x-task-id") ?? "", retry: answer.headers.get("x-should-retry") ?? ""};
	} catch (e) {
		return {failed: e.name};
	}
}`

// pageAnswer is what a page learns of a chat.
type pageAnswer struct {
	outcome
	Task string `json:"task"`
}

// A page of a listed origin streams a chat of the orchestrator, and reads the task's id
// and why it is refused. A page of another origin can do neither.
func TestBrowserPageStreamsFromTheOrchestrator(t *testing.T) {
	port := startStranger(t)
	base := startUpWithPages(t, "http://localhost:"+port)
	ctx := startChromium(t)
	chat := func(token, model string) pageAnswer {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[pageAnswer](fmt.Sprintf("(%s)(%q, %q, %q)", chatPage, base, token, model),
			func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if err := typed(t, ctx, "http://localhost:"+port+"/"); err != nil {
		t.Fatal(err)
	}
	got := chat(pageToken, "demo")
	if got.Failed != "" || got.Status != http.StatusOK || got.Task == "" || got.ID == "" || !strings.HasSuffix(got.Body, "data: [DONE]\n\n") {
		t.Errorf("a chat: got %+v", got)
	}
	for _, c := range []struct {
		name, token, model string
		status             int
		words              string
	}{
		{"a wrong token", "another-token-0123456789abcdefghijklmnopq", "demo", 401, "BAD_TOKEN"},
		{"an unknown model", pageToken, "nope", 404, "MODEL_NOT_AVAILABLE"},
	} {
		if got := chat(c.token, c.model); got.Status != c.status || got.ID == "" || got.Retry != "false" || !strings.Contains(got.Body, c.words) {
			t.Errorf("%s: got %+v, want %d %s", c.name, got, c.status, c.words)
		}
	}
	for _, origin := range []string{"http://127.0.0.1:" + port, "http://evil.example:" + port} {
		if err := typed(t, ctx, origin+"/"); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{pageToken, "another-token-0123456789abcdefghijklmnopq"} {
			if got := chat(token, "demo"); got.Failed != "TypeError" || got.Status != 0 || got.Body != "" {
				t.Errorf("%s: got %+v, want nothing but an error", origin, got)
			}
		}
	}
}
