//go:build browser

package bypass_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

const guestToken = "guest-token-0123456789abcdefghijklmnopqrs"

// screenshotsVariable names a directory for the pictures of a run, to be looked at.
const screenshotsVariable = "LLORCH_SCREENSHOTS"

func digestHex(token string) string { return authmin.NewSecret(token).Digest().Hex() }

// listen keeps violations of the policy, and errors, from the first byte of every page. The
// script that adds the listeners is the browser's own, which no policy stops.
func listen(t *testing.T, ctx context.Context) {
	t.Helper()
	const script = `window.violations = []; document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sample));
addEventListener("error", (e) => violations.push("error " + e.message)); addEventListener("unhandledrejection", (e) => violations.push("rejection " + e.reason));`
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		t.Fatal(err)
	}
}

// signIn types a token into the form, as a person does.
func signIn(t *testing.T, ctx context.Context, token string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS("#token"), token+"\r")); err != nil {
		t.Fatal(err)
	}
}

// shows waits until the page has a text.
func shows(t *testing.T, ctx context.Context, selector, text string) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("%q in %s", text, selector), func() bool {
		return strings.Contains(evaluate[string](t, ctx, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)), text)
	})
}

// look sets what the screen is like, and takes a picture where pictures are asked for.
func look(t *testing.T, ctx context.Context, name, scheme string, width int64) {
	t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
		t.Fatal(err)
	}
	if wide := evaluate[int64](t, ctx, "document.documentElement.scrollWidth"); wide > width {
		t.Errorf("%s: the page is %d pixels wide on a screen of %d", name, wide, width)
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil || len(picture) == 0 {
		t.Fatalf("%s: no picture: %v", name, err)
	}
	if dir := os.Getenv(screenshotsVariable); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A person signs in and sees what happens; what clients and nodes sent is text. The token
// is nowhere but in the memory of the script.
func TestBrowserPageShowsTheGateway(t *testing.T) {
	l, ctx := startPage(t), startChromium(t)
	listen(t, ctx)
	if err := typed(t, ctx, l.page+"/"); err != nil {
		t.Fatal(err)
	}
	look(t, ctx, "signin-light", "light", 1280)
	look(t, ctx, "signin-narrow", "dark", 360)
	signIn(t, ctx, strings.Repeat("w", 40))
	shows(t, ctx, "#problem", "The credentials are not valid.")
	signIn(t, ctx, lookerToken)
	shows(t, ctx, "#who", "looker")
	l.visit(t)
	for selector, text := range map[string]string{
		"#records": hostile, "#tasks": hostile, "#nodes": hostile, "#reasons": "scope", "#tokens": "ci-runner", "#t-nodes": "1", "#t-queued": "1",
		"#usage": hostile, "#budgets": "ci-runner", "#account": "guard edge", "#a-name": "looker", "#a-models": "every model", "#a-expires": "never",
	} {
		shows(t, ctx, selector, text)
	}
	shows(t, ctx, "#usage", "812 / 96")
	shows(t, ctx, "#records", hostilePath)
	l.visit(t)
	for _, c := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"narrow", "light", 360}, {"narrow-dark", "dark", 360}} {
		look(t, ctx, c.name, c.scheme, c.width)
	}
	if nameless := evaluate[string](t, ctx, `[...document.querySelectorAll("input, button, table, section, dialog, [role=region], [role=img]")].filter((e) => !(e.labels?.length || e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")?.split(" ").every((id) => document.getElementById(id)) || e.tagName == "BUTTON" && e.textContent.trim())).map((e) => e.outerHTML.slice(0, 80)).join(" ")`); nameless != "" {
		t.Errorf("a screen reader has no name for %s", nameless)
	}
	showsATask(t, ctx)
	kept := evaluate[string](t, ctx, `JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, location.href, history.state, document.getElementById("token").value, document.documentElement.outerHTML, Object.keys(window).filter((k) => { try { return String(window[k]).includes("looker-token") } catch { return false } })])`)
	for _, secret := range []string{lookerToken, colleague, upstreamWord, answerWords} {
		if strings.Contains(kept, secret) {
			t.Errorf("%s… is in the page: %.4000s", secret[:8], kept)
		}
	}
	if got := evaluate[string](t, ctx, `JSON.stringify([window.hacked ?? null, document.images.length, violations])`); got != "[null,1,[]]" {
		t.Errorf("a script ran, an image was made, or the policy was violated: %s", got)
	}
	for name, breaks := range map[string]string{
		"code from a text": `document.body.innerHTML = "<p>"`,
		"an inline style":  `document.head.append(Object.assign(document.createElement("style"), {textContent: "p{}"}))`,
		"another origin":   `fetch("http://127.0.0.1:1/").catch(() => {})`,
	} {
		if got := evaluate[bool](t, ctx, fmt.Sprintf(`(() => { violations.length = 0; try { %s } catch {}; return true })()`, breaks)); !got {
			t.Fatal("no answer")
		}
		testkit.Eventually(t, name+" is a violation", func() bool { return evaluate[bool](t, ctx, "violations.length > 0") })
	}
}

// showsATask opens the events of a task with the keyboard, and closes them.
func showsATask(t *testing.T, ctx context.Context) {
	t.Helper()
	evaluate[bool](t, ctx, `(document.querySelector("#tasks button").focus(), true)`)
	if err := chromedp.Do(ctx, chromedp.KeyEvent("\r")); err != nil {
		t.Fatal(err)
	}
	shows(t, ctx, "#events-list", "finish reason stop")
	shows(t, ctx, "#events-list", hostile)
	look(t, ctx, "events", "light", 1280)
	look(t, ctx, "events-narrow", "dark", 360)
	if err := chromedp.Do(ctx, chromedp.KeyEvent("\x1b")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the dialog closed", func() bool {
		return evaluate[bool](t, ctx, `!document.getElementById("events").open`)
	})
}

// A revoked token's page signs itself out, and shows nothing of what it had.
func TestBrowserPageEndsWithItsToken(t *testing.T) {
	l, ctx := startPage(t), startChromium(t)
	listen(t, ctx)
	if err := typed(t, ctx, l.page+"/"); err != nil {
		t.Fatal(err)
	}
	signIn(t, ctx, guestToken)
	shows(t, ctx, "#tokens", "guest")
	shows(t, ctx, "#account", "4,000 requests per day")
	shows(t, ctx, "#a-expires", "2099-01-01 00:00 UTC")
	l.visit(t)
	shows(t, ctx, "#account", "3,999")
	if text := evaluate[string](t, ctx, `document.getElementById("tokens").innerText + document.getElementById("usage").innerText + document.getElementById("lockouts").checkVisibility() + document.getElementById("budgets").checkVisibility()`); strings.Contains(text, "looker") || strings.Contains(text, "ci-runner") || !strings.HasSuffix(text, "falsefalse") {
		t.Errorf("a guest sees %s", text)
	}
	l.write(t, "revoked")
	shows(t, ctx, "#problem", "The credentials are not valid.")
	if got := evaluate[string](t, ctx, `["#tokens", "#account", "#a-name", "#a-expires"].map((s) => document.querySelector(s).textContent).join("") + document.querySelector("#view").hidden`); got != "true" {
		t.Errorf("the page still has %q", got)
	}
}
