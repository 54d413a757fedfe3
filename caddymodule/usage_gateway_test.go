package caddymodule

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// usageSite is a guard that counts, before an upstream.
func usageSite(upstream string) string {
	return "\tauthmin {\n\t\tpublic POST /open\n\t\trequire infer /*\n\t\tmodel_in body /v1/chat/completions /v1/embeddings\n\t\tmodel_free /v1/models\n\t\tusage\n\t}\n\treverse_proxy " + upstream + "\n"
}

// usageOf waits for this many records of usage, and returns what they say without the
// times.
func (g *gateway) usageOf(t *testing.T, atLeast int) (records []map[string]any) {
	t.Helper()
	testkit.Eventually(t, "usage records", func() bool {
		records = slices.DeleteFunc(g.records(t), func(r map[string]any) bool { return r["event"] != eventUsage })
		return len(records) >= atLeast
	})
	for _, r := range records {
		if r["duration_ms"].(float64) < r["ttft_ms"].(float64) {
			t.Errorf("the first token came after the end: %v", r)
		}
		for _, name := range []string{"line", "ts", "level", "logger", "msg", "time", "seq", "event", "guard", "token", "duration_ms", "ttft_ms", "correlation_id"} {
			delete(r, name)
		}
	}
	return records
}

// told is a record of usage.
func told(model, answered string, in, out, cached, reasoning, status int, outcome string, estimated bool) map[string]any {
	number := func(n int) any { return float64(n) }
	return map[string]any{
		"identity": authmin.TokenIdentity(digestOf(tokenInfer).Fingerprint()), "fp6": digestOf(tokenInfer).Fingerprint(), "model": model, "model_answered": answered, "tokens_in": number(in), "tokens_out": number(out),
		"tokens_cached": number(cached), "tokens_reasoning": number(reasoning), "status": number(status), "outcome": outcome, "estimated": estimated,
	}
}

const chatBody = `{"model":"tiny","messages":[{"role":"user","content":"hello"}],"stream":true}` // 77 bytes: 20 tokens

var chatEvents = []string{
	`data: {"model":"big","choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n",
	`data: {"model":"big","choices":[{"delta":{"content":"a"}}]}` + "\n\n",
	`data: {"model":"big","choices":[{"delta":{"content":"b"}}]}` + "\n\n",
	`data: {"model":"big","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":7}}}` + "\n\n",
	"data: [DONE]\n\n",
}

// answering is an upstream that flushes each piece of an answer.
func answering(status int, header map[string]string, pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		for _, piece := range pieces {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

func ofType(kind string) map[string]string { return map[string]string{"Content-Type": kind} }

var usageCases = map[string]struct {
	answer http.HandlerFunc
	body   string
	want   map[string]any
}{
	"a stream":                 {answering(200, ofType("text/event-stream"), chatEvents...), strings.Join(chatEvents, ""), told("tiny", "big", 12, 34, 5, 7, 200, "complete", false)},
	"a stream without figures": {answering(200, ofType("text/event-stream"), chatEvents[:3]...), strings.Join(chatEvents[:3], ""), told("tiny", "big", 20, 2, 0, 0, 200, "unreported", true)},
	"lines": {answering(200, ofType("application/x-ndjson"), `{"model":"big","message":{"content":"a"}}`+"\n", `{"model":"big","done":true,"prompt_eval_count":4,"eval_count":2}`+"\n"),
		`{"model":"big","message":{"content":"a"}}` + "\n" + `{"model":"big","done":true,"prompt_eval_count":4,"eval_count":2}` + "\n", told("tiny", "big", 4, 2, 0, 0, 200, "complete", false)},
	"a whole answer":            {answering(200, ofType("application/json"), `{"usage":{"input_tokens":3,`, `"output_tokens":4}}`), `{"usage":{"input_tokens":3,"output_tokens":4}}`, told("tiny", "", 3, 4, 0, 0, 200, "complete", false)},
	"figures in text":           {answering(200, ofType("application/json"), `{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}`), `{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}`, told("tiny", "", 20, 1, 0, 0, 200, "unreported", true)},
	"a hostile figure":          {answering(200, ofType("application/json"), `{"usage":{"prompt_tokens":-1}}`), `{"usage":{"prompt_tokens":-1}}`, told("tiny", "", 20, 0, 0, 0, 200, "unreported", true)},
	"an encoded answer":         {answering(200, map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}, zipped(`{"usage":{"input_tokens":3}}`)), zipped(`{"usage":{"input_tokens":3}}`), told("tiny", "", 20, 0, 0, 0, 200, "unreported", true)},
	"an answer to wait for":     {answering(202, ofType("application/json"), `{"id":"t","usage":{"input_tokens":3}}`), `{"id":"t","usage":{"input_tokens":3}}`, told("tiny", "", 20, 0, 0, 0, 202, "unreported", true)},
	"a refusal by the upstream": {answering(400, ofType("application/json"), `{"error":{}}`), `{"error":{}}`, told("tiny", "", 0, 0, 0, 0, 400, "complete", false)},
	"a failure of the upstream": {answering(500, ofType("application/json"), `{"error":{}}`), `{"error":{}}`, told("tiny", "", 20, 0, 0, 0, 500, "unreported", true)},
	"nothing":                   {answering(200, nil), "", told("tiny", "", 20, 0, 0, 0, 200, "unreported", true)},
	"a replay of others":        {answering(200, map[string]string{"Content-Type": "application/json", "X-Task-Replayed": "true"}, `{"usage":{"input_tokens":3}}`), `{"usage":{"input_tokens":3}}`, told("tiny", "", 3, 0, 0, 0, 200, "complete", false)},
}

// An answer passes as it came, and one record says what it took.
func TestTheTokensOfACallAreRecorded(t *testing.T) {
	for name, c := range usageCases {
		t.Run(name, func(t *testing.T) {
			g := serve(t, true, twoTokens, usageSite(rawUpstream(t, c.answer)))
			asked := 0
			for version, client := range clients(t) {
				r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(chatBody))
				r.Header.Set("Authorization", "Bearer "+tokenInfer)
				r.Header.Set("Accept-Encoding", "gzip")
				_, body := send(t, client, r)
				if body != c.body {
					t.Errorf("%s: got %q, want %q", version, body, c.body)
				}
				asked++
				records := g.usageOf(t, asked)
				if len(records) != asked {
					t.Fatalf("%s: %d records, want %d", version, len(records), asked)
				}
				if diff := cmp.Diff(c.want, records[asked-1]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", version, diff)
				}
			}
		})
	}
}

// Only the word of an upstream of ours leaves an answer out.
func TestReplaysOfOurBackendsAreCountedOnce(t *testing.T) {
	replay := answering(200, map[string]string{"Content-Type": "application/json", "X-Task-Replayed": "true"}, `{"usage":{"input_tokens":3}}`)
	site := strings.Replace(usageSite(rawUpstream(t, replay)), "\t\tusage\n", "\t\tusage\n\t\tmodels_at upstream\n\t\tupstream_token {env.TEST_UPSTREAM}\n", 1)
	g := serve(t, false, twoTokens, site)
	g.ask(t, plainClient(), "POST", chatPath, asUser)
	g.load(t, twoTokens, strings.Replace(site, "\t\tmodels_at upstream\n", "", 1))
	g.ask(t, plainClient(), "POST", chatPath, asUser)
	if records := g.usageOf(t, 1); len(records) != 1 {
		t.Errorf("%d records, want 1: of the guard without models_at", len(records))
	}
}

// Lists, answers that are read again, tunnels and refusals take no tokens.
func TestWhatIsNoCallHasNoRecord(t *testing.T) {
	u := newUpstream(t, answering(200, ofType("application/json"), `{"usage":{"input_tokens":3}}`))
	g := serve(t, false, twoTokens, usageSite(u.address()))
	client := plainClient()
	g.ask(t, client, "GET", "/v1/responses/r", asUser)
	g.ask(t, client, "DELETE", "/v1/responses/r", asUser)
	g.ask(t, client, "POST", "/v1/models", asUser)
	g.ask(t, client, "POST", "/v1/chat/completions")
	g.ask(t, client, "POST", "/v1/chat/completions", asUser, "Connection: upgrade", "Upgrade: websocket")
	g.ask(t, client, "POST", "/v1/embeddings", asUser)
	g.ask(t, client, "PUT", "/v1/embeddings", asUser)
	if records := g.usageOf(t, 2); len(records) != 2 {
		t.Errorf("%d records of usage, want 2: %v", len(records), records)
	}
	g.ask(t, client, "POST", "/open")
	if got := g.usageOf(t, 3)[2]["identity"]; got != "anonymous" {
		t.Errorf("a public call is recorded for %v", got)
	}
}

// Without usage an upstream is asked for what the client asks for.
func TestOnlyCallsAskForIdentityEncoding(t *testing.T) {
	u := newUpstream(t, nil)
	g := serve(t, false, twoTokens, usageSite(u.address()))
	for path, want := range map[string]string{"/v1/chat/completions": "identity", "/v1/models": "br, gzip"} {
		g.ask(t, plainClient(), "POST", path, asUser, "Accept-Encoding: br, gzip")
		if got := u.last().Header.Get("Accept-Encoding"); got != want {
			t.Errorf("%s: the upstream is asked for %q, want %q", path, got, want)
		}
	}
	g.load(t, twoTokens, strings.Replace(usageSite(u.address()), "\t\tusage\n", "\t\tusage\n\t\tshadow\n", 1))
	g.ask(t, plainClient(), "POST", "/v1/chat/completions", asUser, "Accept-Encoding: br, gzip")
	if got := u.last().Header.Get("Accept-Encoding"); got != "br, gzip" {
		t.Errorf("in shadow mode: the upstream is asked for %q", got)
	}
}

// A stream that its client or its upstream cuts is told with what it has brought.
func TestAStreamThatIsCut(t *testing.T) {
	begin := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range chatEvents[:3] {
			_, _ = io.WriteString(w, event)
		}
		_ = http.NewResponseController(w).Flush()
	}
	read := make(chan struct{}) // HTTP/3 drops what was not read before a reset
	for who, answer := range map[string]http.HandlerFunc{
		"the upstream": func(w http.ResponseWriter, _ *http.Request) { begin(w); <-read; panic(http.ErrAbortHandler) },
		"the client":   func(w http.ResponseWriter, r *http.Request) { begin(w); <-r.Context().Done() },
	} {
		g := serve(t, true, twoTokens, usageSite(rawUpstream(t, answer)))
		asked := 0
		for version, client := range clients(t) {
			r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(chatBody))
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Join(chatEvents[:3], "")
			got := make([]byte, len(want))
			if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
				t.Errorf("%s by %s: read %q, %v", version, who, got, err)
			}
			if who == "the upstream" {
				read <- struct{}{}
				if _, err := io.ReadAll(answer.Body); err == nil {
					t.Errorf("%s: a cut stream ends as a whole one", version)
				}
			}
			answer.Body.Close()
			asked++
			if diff := cmp.Diff(told("tiny", "big", 20, 2, 0, 0, 200, "aborted", true), g.usageOf(t, asked)[asked-1]); diff != "" {
				t.Errorf("%s by %s (-want +got):\n%s", version, who, diff)
			}
		}
	}
}

// An upstream that cannot be reached has taken no tokens.
func TestAnUpstreamThatIsGone(t *testing.T) {
	g := serve(t, false, twoTokens, usageSite(testkit.FreeAddress(t)))
	r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(chatBody))
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	if answer, _ := send(t, plainClient(), r); answer.StatusCode != 502 {
		t.Errorf("got %d, want 502", answer.StatusCode)
	}
	got := g.usageOf(t, 1)[0]
	if got["outcome"] != "aborted" || got["tokens_in"] != 0.0 || got["tokens_out"] != 0.0 || got["estimated"] != false {
		t.Errorf("got %v", got)
	}
}

// A client, or an engine, that puts a token in the place of a model does not bring it into
// the trail, nor a line of its own.
func TestTheModelOfARecordIsCleaned(t *testing.T) {
	g := serve(t, false, twoTokens, usageSite(rawUpstream(t, answering(200, ofType("application/json"), `{"model":"`+tokenAdmin+`\n{\"event\":\"usage\"}","usage":{"input_tokens":3}}`))))
	r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(`{"model":"`+tokenAdmin+" "+strings.Repeat("x", 400)+`"}`))
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	send(t, plainClient(), r)
	got := g.usageOf(t, 1)
	expectNoToken(t, readFile(t, g.log))
	if asked := got[0]["model"].(string); len(got) != 1 || len(asked) > authmin.MaxLoggedHost || strings.Contains(got[0]["model_answered"].(string), "\n") {
		t.Errorf("got %v", got)
	}
}

// Each event reaches the client before the upstream sends the next one.
func TestCountedEventsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	g := serve(t, true, twoTokens, usageSite(rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range chatEvents {
			half := len(event) / 2
			for _, part := range []string{event[:half], event[half:]} {
				_, _ = io.WriteString(w, part)
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		}
	})))
	for version, client := range clients(t) {
		r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(chatBody))
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range chatEvents {
			half := len(event) / 2
			for _, part := range []string{event[:half], event[half:]} {
				got := make([]byte, len(part))
				if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != part {
					t.Fatalf("%s: read %q, %v, want %q", version, got, err, part)
				}
				next <- struct{}{}
			}
		}
		if rest, err := io.ReadAll(answer.Body); len(rest) > 0 || err != nil {
			t.Errorf("%s: %q after the end, %v", version, rest, err)
		}
		answer.Body.Close()
	}
}

// The metrics of a guard have few names.
func TestIdentitiesOfMetricsAreBounded(t *testing.T) {
	var tables identityTables
	table := tables.of("g", 2)
	for _, c := range [][2]string{{"a", "a"}, {"b", "b"}, {"c", "other"}, {"a", "a"}} {
		if got := table.label(c[0]); got != c[1] {
			t.Errorf("%s has label %s, want %s", c[0], got, c[1])
		}
	}
	if got := tables.of("g", 3).label("c"); got != "c" {
		t.Errorf("after a reload with more room: %s", got)
	}
	if got := tables.of("h", 1).label("d"); got != "d" {
		t.Errorf("in another guard: %s", got)
	}
}

func TestUsageOptions(t *testing.T) {
	for text, want := range map[string]string{
		"usage": "", "usage {\n identities 7\n }": "", "usage 7": "takes no value", "usage {\n identities 0\n }": "1 to 10,000", "usage {\n identities\n }": "1 to 10,000",
		"usage {\n names 7\n }": "unknown option names", "usage {\n identities 7\n identities 8\n }": "given twice", "usage\n usage": "given twice",
	} {
		_, err := adapt("Caddyfile", fmt.Sprintf("http://localhost {\n authmin {\n require infer /*\n %s\n }\n respond ok\n}\n", text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
