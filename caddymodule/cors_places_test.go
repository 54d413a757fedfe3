package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// A shadow guard leaves pages of other origins to the upstream, and counts a preflight
// as what it would be: let in.
func TestAShadowGuardLeavesPagesToTheUpstream(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, false, twoTokens, strings.Replace(corsGuard, "{\n", "{\n\t\tshadow\n", 1)+"\treverse_proxy "+up.address())
	for i, c := range []struct {
		method   string
		fields   []string
		decision string
	}{
		{"OPTIONS", preflight(chat), "allow"},
		{"GET", []string{"Origin: " + chat}, "would_deny"},
		{"GET", []string{"Origin: " + chat, asUser}, "allow"},
	} {
		answer, _ := g.ask(t, plainClient(), c.method, "/v1/x", c.fields...)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "*" || answer.Header.Get("Timing-Allow-Origin") != "*" {
			t.Errorf("%s %q: got %d with %s", c.method, c.fields, answer.StatusCode, browserFields(answer.Header))
		}
		if r := up.last(); r == nil || r.Header.Get("Origin") != chat || c.method == "OPTIONS" && r.Header.Get("Access-Control-Request-Method") != "POST" {
			t.Errorf("%s %q: the upstream got %v", c.method, c.fields, r)
		}
		if record := g.recordsOf(t, i+1)[i]; record["decision"] != c.decision {
			t.Errorf("%s %q: the record says %v", c.method, c.fields, record["line"])
		}
	}
}

// A guard without `cors` changes nothing of it.
func TestWithoutCORSTheUpstreamDecides(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, false, twoTokens, "authmin {\n\tpublic GET /open/*\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address())
	for path, status := range map[string]int{"/v1/x": 401, "/open/x": 401} {
		if answer, _ := g.ask(t, plainClient(), "OPTIONS", path, preflight(chat)...); answer.StatusCode != status || browserFields(answer.Header) != "" {
			t.Errorf("%s: got %d with %s", path, answer.StatusCode, browserFields(answer.Header))
		}
	}
	answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", asUser, "Origin: "+chat)
	if r := up.last(); answer.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Origin") != chat {
		t.Errorf("got %s, the upstream got %q", browserFields(answer.Header), r.Header["Origin"])
	}
}

// Guards in handle blocks, in a route and in the error routes have origins of their own.
func TestCORSOfEachGuard(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, false, twoTokens, `
	handle /a/* {
		authmin a {
			cors https://a.example
			require infer /a/*
		}
		reverse_proxy `+up.address()+`
	}
	handle_path /b/* {
		route {
			authmin b {
				cors https://b.example
				require infer /b/*
			}
			reverse_proxy `+up.address()+`
		}
	}
	handle {
		authmin c {
			cors https://c.example
			require infer /c/*
		}
		error 503
	}
	handle_errors {
		authmin errors {
			cors https://c.example
			require infer /c/*
		}
		reverse_proxy `+up.address()+`
	}`)
	for _, path := range []string{"a", "b", "c"} {
		for _, origin := range []string{"a", "b", "c"} {
			page := "https://" + origin + ".example"
			want := ""
			if path == origin {
				want = page
			}
			for method, fields := range map[string][]string{"OPTIONS": preflight(page), "GET": {"Origin: " + page, asUser}} {
				answer, _ := g.ask(t, plainClient(), method, "/"+path+"/x", fields...)
				if got := strings.Join(answer.Header["Access-Control-Allow-Origin"], "|"); got != want || answer.StatusCode/100 != 2 {
					t.Errorf("%s /%s from %s: got %d for %q, want %q", method, path, page, answer.StatusCode, got, want)
				}
				r := up.last()
				if (r != nil) != (method == "GET") {
					t.Errorf("%s /%s: the upstream got %v", method, path, r)
				}
				if r != nil && (r.Header["Origin"] == nil) != (path == origin) {
					t.Errorf("%s /%s from %s: the upstream got Origin %q", method, path, page, r.Header["Origin"])
				}
			}
		}
	}
}

// Refusals before the policy is asked can be read as well; here a token in the path.
func TestEarlyRefusalsCanBeReadByPages(t *testing.T) {
	g := serve(t, false, twoTokens, corsGuard+"\trespond ok")
	for method, fields := range map[string][]string{"GET": {"Origin: " + chat, asUser}, "OPTIONS": preflight(chat)} {
		answer, body := g.ask(t, plainClient(), method, "/v1/"+tokenInfer, fields...)
		if answer.StatusCode != http.StatusBadRequest || answer.Header.Get("Access-Control-Allow-Origin") != chat || !strings.Contains(body, "MISPLACED_TOKEN") {
			t.Errorf("%s: got %d %s with %s", method, answer.StatusCode, body, browserFields(answer.Header))
		}
	}
}

// The loopback bypass is not for pages: not those of a listed origin, nor their
// preflights' requests.
func TestAPageOfAListedOriginNeedsAToken(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, false, "\tauthmin {\n\t\ttoken infer-user {env.TEST_INFER} infer\n\t\toptional true\n\t}\n", corsGuard+"\treverse_proxy "+up.address())
	local := "Host: " + g.address
	for _, c := range []struct {
		fields []string
		status int
	}{
		{[]string{local}, 200},
		{[]string{local, "Origin: http://localhost:3000"}, 403},
		{[]string{local, "Origin: " + chat}, 403},
		{[]string{local, "Origin: " + stranger}, 403},
		{[]string{local, "Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"}, 403},
		{[]string{local, "Origin: http://localhost:3000", asUser}, 200},
		{[]string{local, "X-Api-Key: nobody"}, 401},
	} {
		answer, body := g.ask(t, plainClient(), "GET", "/v1/x", c.fields...)
		if answer.StatusCode != c.status {
			t.Errorf("%q: got %d %s, want %d", c.fields, answer.StatusCode, body, c.status)
		}
	}
}

// Preflights are requests of strangers: bounded for each client.
func TestPreflightsAreStrangers(t *testing.T) {
	release := make(chan struct{})
	up := rawUpstream(t, (&held{release}).ServeHTTP)
	g := serve(t, false, twoTokens, "authmin {\n\tcors "+chat+"\n\tpublic /v1/*\n\tpublic_inflight 1\n}\nreverse_proxy "+up)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = g.ask(t, plainClient(), "GET", "/v1/hold")
	}()
	testkit.Eventually(t, "the slot to be taken", func() bool { return publicSlots(t) == 1 })
	answer, _ := g.ask(t, plainClient(), "OPTIONS", "/v1/x", preflight(chat)...)
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Access-Control-Allow-Origin") != chat {
		t.Errorf("with the slot taken: got %d with %s", answer.StatusCode, browserFields(answer.Header))
	}
	close(release)
	<-done
	for range 3 { // and give it back
		if answer, _ := g.ask(t, plainClient(), "OPTIONS", "/v1/x", preflight(chat)...); answer.StatusCode != http.StatusNoContent {
			t.Errorf("with a free slot: got %d", answer.StatusCode)
		}
	}
	testkit.Eventually(t, "the slots to be free", func() bool { return publicSlots(t) == 0 })
}

// The trail says what a preflight was.
func TestTheTrailOfAPreflight(t *testing.T) {
	g := serve(t, false, twoTokens, corsGuard+"\trespond ok")
	g.ask(t, plainClient(), "OPTIONS", "/nowhere", preflight(stranger)...)
	record := g.recordsOf(t, 1)[0]
	for name, want := range map[string]any{"event": "auth_success", "decision": "allow", "rule": "cors", "status": 204.0, "identity": "anonymous", "method": "OPTIONS"} {
		if record[name] != want {
			t.Errorf("%s is %v, want %v", name, record[name], want)
		}
	}
}

// A preflight that repeats a token in the name of a field gets no such name back.
func TestAPreflightRepeatsNoToken(t *testing.T) {
	g := serve(t, false, twoTokens, corsGuard+"\trespond ok")
	names := []string{"x-stainless-" + strings.ToLower(tokenInfer), "x-stainless-" + strings.Repeat("a", 64), "anthropic-", "openai-a_b", "X-Stainless-Os", "x-evil"}
	answer, _ := g.ask(t, plainClient(), "OPTIONS", "/v1/x", preflight(chat, "Access-Control-Request-Headers: "+strings.Join(names, ","))...)
	if got := answer.Header.Get("Access-Control-Allow-Headers"); !strings.HasSuffix(got, "traceparent") {
		t.Errorf("got %s", got)
	}
	expectNoToken(t, fmt.Sprint(answer.Header)+readFile(t, g.log))
}

// The header of an answer that begins without WriteHeader is cleaned, too.
func TestAnswersThatBeginWithTheirBody(t *testing.T) {
	g := serve(t, false, twoTokens, corsGuard+"\theader /v1/* >Cache-Control no-store\n\tmetrics /v1/metrics")
	answer, _ := g.ask(t, plainClient(), "GET", "/v1/metrics", asUser, "Origin: "+chat)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != chat {
		t.Errorf("got %d with %s", answer.StatusCode, browserFields(answer.Header))
	}
	s := &response{id: "id-1", cors: &corsRule{}}
	s.ResponseWriterWrapper.ResponseWriter = discard{http.Header{"Access-Control-Allow-Origin": {"*"}, "Timing-Allow-Origin": {"*"}}}
	_, _ = s.Write([]byte("x"))
	if got := browserFields(s.Header()); got != "Vary: Origin" {
		t.Errorf("got %s", got)
	}
}

// What is taken off the header is taken off the trailers.
func TestTrailersForBrowsersAreTakenOff(t *testing.T) {
	up := browserUpstream(t)
	g := serve(t, false, twoTokens, corsGuard+"\treverse_proxy "+up.address())
	r, err := http.NewRequest("POST", g.base+"/v1/x", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	r.Header.Set("Origin", chat)
	r.Trailer = http.Header{"Origin": {chat}, "Access-Control-Request-Method": {"POST"}, "X-Sum": {"1"}}
	send(t, plainClient(), r)
	if got := up.last().Trailer; len(got) != 1 || got.Get("X-Sum") != "1" {
		t.Errorf("the upstream got trailers %v", got)
	}
}
