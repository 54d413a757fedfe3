//go:build browser

package bypass_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserLimit bounds what one test does with its Chromium.
const browserLimit = 90 * time.Second

// chromiums are the names that it goes by.
var chromiums = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// startChromium runs a browser of its own for a test. evil.example is at
// 127.0.0.1, and at the address of rebound for the one port of it.
func startChromium(t *testing.T, rules ...string) context.Context {
	t.Helper()
	path := ""
	for _, name := range chromiums {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatalf("none of %v is on the PATH", chromiums)
	}
	profile, err := os.MkdirTemp("", "bypass-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	rules = append(rules, "MAP evil.example 127.0.0.1", "MAP *.example ~NOTFOUND")
	ctx, cancel := context.WithTimeout(context.Background(), browserLimit)
	ctx, stop := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WSURLReadTimeout(browserLimit),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-popup-blocking", true), chromedp.Flag("ignore-certificate-errors", true),
		// What the browser keeps from us is no merit of the gateway's.
		chromedp.Flag("disable-features", "LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,BlockInsecurePrivateNetworkRequests,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"),
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ",")),
	)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		leave()
		stop()
		cancel()
		os.RemoveAll(profile)
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// typed goes to an address as if it had been typed; what the page says about it
// (an error of the network, a refusal) is the caller's to find out.
func typed(t *testing.T, ctx context.Context, url string) error {
	t.Helper()
	limit, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return chromedp.Do(limit, chromedp.Navigate(url))
}

// evaluate runs a script in the page, with a user's gesture.
func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	gesture := true
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, func(p *runtime.EvaluateParams) { p.UserGesture = &gesture }))
	if err != nil {
		t.Fatalf("running a script: %v", err)
	}
	return result
}

// attack tries all of testdata/attacks.js in the present page and returns the
// path that each sends its request to, by name.
func attack(t *testing.T, ctx context.Context, base string, skip string) map[string]string {
	t.Helper()
	library, err := os.ReadFile("testdata/attacks.js")
	if err != nil {
		t.Fatal(err)
	}
	tried := evaluate[map[string]string](t, ctx, fmt.Sprintf("(() => {%s\nreturn attack(%q, %s)})()", library, base, skip))
	if len(tried) == 0 {
		t.Fatal("no attack was tried")
	}
	return tried
}

// A stranger's server: pages, and what they redirect to.
func startStranger(t *testing.T) (port string) {
	t.Helper()
	page := func(w http.ResponseWriter, format string, args ...any) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><title>stranger</title><body>"+format, args...)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { page(w, "") })
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		http.Redirect(w, r, r.URL.Query().Get("to"), code)
	})
	mux.HandleFunc("/refresh", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Refresh", "0;url="+r.FormValue("to"))
		page(w, "")
	})
	mux.HandleFunc("/quiet", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Referrer-Policy", "no-referrer")
		page(w, "<img src=%q>", r.FormValue("to"))
	})
	mux.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "img-src 'none'; report-uri "+r.FormValue("to"))
		page(w, "<img src=/x>")
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that a rebound name is looked up again
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return portOf(server.Listener.Addr().String())
}
