//go:build browser

package bypass_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/llorch/gateway/integration/testkit"
)

// arriveLimit is how long a browser on a busy machine may take to send what its
// page has asked for.
const arriveLimit = 30 * time.Second

// allArrive waits until each path has been requested.
func allArrive(t *testing.T, who string, paths map[string]string, prefix string, seen func() func(path string) bool) {
	t.Helper()
	err := testkit.Poll(arriveLimit, func() error {
		var missing []string
		has := seen()
		for name, path := range paths {
			if !has(prefix + path) {
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			slices.Sort(missing)
			return errors.New(strings.Join(missing, ", "))
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s was not reached by: %v", who, err)
	}
}

// A page of another origin on this machine reaches whatever has no guard, in
// every way that a page has, and nothing behind the gateway.
func TestBrowserPagesOfOthersDoNotGetThrough(t *testing.T) {
	g, witness, stranger := startGateway(t), startRecorder(t), startStranger(t)
	pages := map[string]string{
		"another-site": "http://evil.example:" + stranger,
		"another-port": "http://127.0.0.1:" + stranger,
		"another-name": "http://localhost:" + stranger,
	}
	bases := map[string]string{"plain": "http://" + g.plain, "tls": "https://" + g.tls}
	for label, origin := range pages {
		t.Run(label, func(t *testing.T) {
			ctx := startChromium(t)
			if err := typed(t, ctx, origin+"/"); err != nil {
				t.Fatal(err)
			}
			prefix := "/v1/" + label
			tried := attack(t, ctx, "http://"+witness.address()+prefix, "[]")
			allArrive(t, "what has no guard", tried, prefix, func() func(string) bool {
				return func(path string) bool { return len(witness.requests(path)) > 0 }
			})
			for kind, base := range bases {
				if err := typed(t, ctx, origin+"/"); err != nil {
					t.Fatal(err)
				}
				prefix := prefix + "/" + kind
				tried := attack(t, ctx, base+prefix, "[]")
				allArrive(t, "the gateway", tried, prefix, func() func(string) bool { return refusedBy(t, g) })
			}
		})
	}
	if n := g.upstream.total(); n != 0 {
		t.Errorf("the upstream got %d requests, want none", n)
	}
}

// refusedBy tells of a path whether the gateway has refused it, and done nothing
// else. The trail has what was let in; refusals beyond twenty a minute share a
// record there, so that these are read in the access log.
func refusedBy(t *testing.T, g *gateway) func(path string) bool {
	audited, answered := g.audited(t), g.answered(t)
	return func(path string) bool {
		letIn := slices.ContainsFunc(audited[path], func(r auditRecord) bool { return r.Reason == "" })
		return !letIn && len(answered[path]) > 0 && !slices.ContainsFunc(answered[path], func(status int) bool { return status/100 != 4 })
	}
}

// A page of the gateway's own origin is a local client; its sandboxed frames are
// not.
func TestBrowserOwnPagesGetThrough(t *testing.T) {
	g := startGateway(t)
	ctx := startChromium(t)
	for _, base := range []string{"http://localhost:" + g.port(), "http://" + g.plain, "https://localhost:" + g.tlsPort()} {
		t.Run(base, func(t *testing.T) {
			prefix := fmt.Sprintf("/v1/%d", len(base))
			if err := typed(t, ctx, base+prefix+"/page"); err != nil {
				t.Fatal(err)
			}
			tried := attack(t, ctx, base+prefix, `["via"]`)
			own, opaque := map[string]string{}, map[string]string{}
			for name, path := range tried {
				// The Fetch standard makes the Origin of such a form null.
				if strings.HasPrefix(name, "opaque") || name == "form POST no-referrer" {
					opaque[name] = path
				} else {
					own[name] = path
				}
			}
			allArrive(t, "the upstream", own, prefix, func() func(string) bool {
				return func(path string) bool { return len(g.upstream.requests(path)) > 0 }
			})
			allArrive(t, "the gateway", opaque, prefix, func() func(string) bool { return refusedBy(t, g) })
			for name, path := range opaque {
				if len(g.upstream.requests(prefix+path)) > 0 {
					t.Errorf("the upstream was reached by: %s", name)
				}
			}
		})
	}
}

// A name that is rebound to 127.0.0.1 while its page is open: to the browser the
// gateway is then that page's own origin.
func TestBrowserReboundNamesDoNotGetThrough(t *testing.T) {
	g, witness, stranger := startGateway(t), startRecorder(t), startStranger(t)
	names := startRelay(t, "tcp", "127.0.0.1:"+stranger, nil) // in the place of a name server
	ctx := startChromium(t, "MAP evil.example:"+g.port()+" "+names.address())
	origin := "http://evil.example:" + g.port()
	for label, target := range map[string]string{"witness": witness.address(), "gateway": g.plain} {
		names.point("127.0.0.1:" + stranger)
		if err := typed(t, ctx, origin+"/"); err != nil {
			t.Fatal(err)
		}
		names.point(target)
		prefix := "/v1/" + label
		tried := attack(t, ctx, origin+prefix, `["via"]`)
		allArrive(t, label, tried, prefix, func() func(string) bool {
			if target == g.plain {
				return refusedBy(t, g)
			}
			return func(path string) bool { return len(witness.requests(path)) > 0 }
		})
	}
	if n := g.upstream.total(); n != 0 {
		t.Errorf("the upstream got %d requests, want none", n)
	}
}

// Whatever is typed, the gateway sees one of three names or refuses.
func TestBrowserTypedAddresses(t *testing.T) {
	g := startGateway(t)
	ctx := startChromium(t)
	cases := map[string]bool{ // whether it gets through
		"127.0.0.1": true, "localhost": true, "LOCALHOST": true,
		"127.1": true, "2130706433": true, "0x7f.1": true, "0177.0.0.1": true, // the browser writes 127.0.0.1
		"user:x@127.0.0.1": true, // it keeps the credential until a server asks for it
		"localhost.":       false, "evil.localhost": false, "evil.example": false, "127.0.0.2": false,
		"0.0.0.0": false, "0": false, "[::]": false, "[::ffff:127.0.0.1]": false, "[::ffff:7f00:1]": false,
	}
	for host, want := range cases {
		t.Run(host, func(t *testing.T) {
			path := fmt.Sprintf("/v1/%x", host)
			// An address that leads nowhere does not get through either.
			err := typed(t, ctx, "http://"+host+":"+g.port()+path)
			if got := len(g.upstream.requests(path)) > 0; got != want {
				t.Errorf("got through: %v, want %v; %v", got, want, err)
			}
		})
	}
}

// What a page has begun stays that page's when the user reloads, or goes back to
// it.
func TestBrowserReloadAndHistory(t *testing.T) {
	g, stranger := startGateway(t), startStranger(t)
	ctx := startChromium(t)
	attempts := map[string]string{
		"location": `location = %q`,
		"form":     `const f = document.createElement("form"); f.method = "POST"; f.action = %q; document.body.append(f); f.submit()`,
		"quiet":    `const a = document.createElement("a"); a.rel = "noreferrer"; a.href = %q; document.body.append(a); a.click()`,
	}
	for name, script := range attempts {
		t.Run(name, func(t *testing.T) {
			path := "/v1/" + name
			refusals := func(n int) {
				t.Helper()
				testkit.Within(t, arriveLimit, fmt.Sprintf("refusal %d", n), func() error {
					if got := len(g.audited(t)[path]); got < n {
						return fmt.Errorf("got %d", got)
					}
					at, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState + " " + location.href`))
					if want := "complete http://" + g.plain + path; err == nil && at != want {
						err = fmt.Errorf("the browser is at %q, want %q", at, want)
					}
					return err
				})
			}
			visit := func() {
				t.Helper()
				if err := typed(t, ctx, "http://evil.example:"+stranger+"/"); err != nil {
					t.Fatal(err)
				}
			}
			visit()
			evaluate[int](t, ctx, fmt.Sprintf(`(() => {`+script+`; return 1})()`, "http://"+g.plain+path))
			refusals(1)
			reload(t, ctx)
			refusals(2)
			if name != "form" { // Chromium sends a form again by reload only
				visit()
				evaluate[int](t, ctx, `history.back(), 1`)
				refusals(3)
			}
			if n := len(g.upstream.requests(path)); n != 0 {
				t.Errorf("the upstream got %d requests, want none", n)
			}
		})
	}
}

func reload(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
}

// A known limit: for a redirect from a typed address, or from a link that another
// program opened, Chromium sends Sec-Fetch-Site: none. The request is a GET whose
// answer only the user sees.
func TestBrowserLimitATypedAddressThatRedirects(t *testing.T) {
	g, stranger := startGateway(t), startStranger(t)
	ctx := startChromium(t)
	to := "http://" + g.plain + "/v1/typed"
	if err := typed(t, ctx, "http://evil.example:"+stranger+"/redirect?code=307&to="+to); err != nil {
		t.Fatal(err)
	}
	requests := g.upstream.requests("/v1/typed")
	if len(requests) != 1 || requests[0].Method != "GET" || requests[0].Header.Get("Sec-Fetch-Site") != "none" {
		t.Errorf("got %d requests, want one GET with Sec-Fetch-Site: none", len(requests))
	}
}
