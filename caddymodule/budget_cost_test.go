package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// long is the base64 of an image.
var long = strings.Repeat("A", 40_000)

// costCase is a request and the tokens that are charged for it.
type costCase struct {
	path, body string
	want       int64 // tokens; negative: the status of a refusal
}

var costCases = map[string]costCase{
	"without a limit":        {chatPath, `{"model":"m","messages":[]}`, 6 + 1000},
	"with a limit":           {chatPath, `{"max_tokens":300}`, 4 + 300},
	"the largest of several": {chatPath, `{"max_tokens":30,"max_completion_tokens":70}`, 11 + 70},

	// What the engine of a route does not heed never makes a request cheaper.
	"a limit that Ollama ignores":             {"/api/chat", `{"max_tokens":1}`, 4 + 1000},
	"a second one that it ignores":            {chatPath, `{"max_completion_tokens":1}`, 6 + 1000},
	"llama.cpp's beside a chat":               {chatPath, `{"n_predict":1}`, 3 + 1000},
	"a limit of new tokens":                   {chatPath, `{"max_new_tokens":1}`, 5 + 1000},
	"Ollama's options in a chat":              {chatPath, `{"options":{"num_predict":1}}`, 7 + 1000},
	"SGLang's parameters in a chat":           {chatPath, `{"sampling_params":{"max_new_tokens":1}}`, 10 + 1000},
	"none, beside a small one":                {chatPath, `{"max_tokens":1,"n_predict":-1}`, 7 + 1000},
	"a large one, beside a small one":         {chatPath, `{"max_tokens":1,"n_predict":7000}`, 8 + 7000},
	"a limit of a path in another spelling":   {"/api/Chat", `{"options":{"num_predict":1}}`, 7 + 1000},
	"the largest counts where none is heeded": {"/api/chat", `{"max_tokens":1200}`, 4 + 1200},

	// The request of an engine in a task of the orchestrator.
	"a task":                           {"/v2/tasks", `{"prompt":"a","max_tokens":7}`, 7 + 7},
	"a native task":                    {"/v2/tasks", `{"native":{"protocol":"chat","body":{"max_tokens":70}}}`, 13 + 70},
	"a native task of Ollama's":        {"/v2/tasks", `{"native":{"protocol":"ollama","body":{"options":{"num_predict":70}}}}`, 17 + 70},
	"a native task of no protocol":     {"/v2/tasks", `{"native":{"protocol":"x","body":{"max_tokens":70}}}`, 13 + 1000},
	"a native task with a limit of it": {"/v2/tasks", `{"max_tokens":1,"native":{"protocol":"chat","body":{}}}`, 13 + 1000},
	"a native task with many answers":  {"/v2/tasks", `{"native":{"protocol":"chat","body":{"max_tokens":70,"n":50}}}`, 15 + 3500},
	"a native task with prompts":       {"/v2/tasks", `{"native":{"protocol":"completions","body":{"max_tokens":70,"prompt":["a","b"]}}}`, 20 + 140},
	"a native task in the background":  {"/v2/tasks", `{"native":{"protocol":"responses","body":{"background":true}}}`, -400},
	"a native task with a limit twice": {"/v2/tasks", `{"native":{"body":{"max_tokens":1,"Max_tokens":9}}}`, -400},
	"a native body beside a chat":      {chatPath, `{"max_tokens":1,"native":{"protocol":"chat","body":{"max_tokens":1}}}`, 17 + 1000},
	"several answers":                  {chatPath, `{"max_tokens":300,"n":3}`, 6 + 900},
	"the best of several":              {chatPath, `{"max_tokens":300,"n":2,"best_of":3}`, 9 + 900},
	"several answers, no limit":        {chatPath, `{"n":3,"a":1}`, 3 + 3000},
	"several prompts":                  {"/v1/completions", `{"prompt":["a","b","c"],"max_tokens":100}`, 10 + 300},
	"several prompts of ids":           {"/v1/completions", `{"prompt":[[1],[2],[3]],"max_tokens":100}`, 10 + 300},
	"one prompt of ids":                {"/v1/completions", `{"prompt":[1,2,3],"max_tokens":100}`, 8 + 100},
	"prompts of text and ids":          {"/v1/completions", `{"prompt":["x",[1],[2]],"max_tokens":100}`, 10 + 300},
	"prompts that are objects":         {"/v1/completions", `{"prompt":[{"a":"b"},{"a":"c"}],"max_tokens":100}`, 12 + 200},
	"no prompt":                        {"/v1/completions", `{"prompt":[],"max_tokens":100}`, 7 + 100},
	"4,000 short prompts":              {"/v1/completions", `{"prompt":[` + strings.Repeat("[1],", 3999) + `[1]],"max_tokens":100}`, 4007 + 400_000},
	"a list of conversations":          {chatPath, `{"messages":[[{}],[{}],[{}]],"max_tokens":100}`, 11 + 300},
	"messages of one":                  {chatPath, `{"messages":[{},{},{}],"max_tokens":100}`, 10 + 100},
	"answers of llama.cpp":             {chatPath, `{"max_tokens":300,"n_cmpl":3}`, 7 + 900},
	"Ollama's limit":                   {"/api/chat", `{"options":{"num_predict":44}}`, 7 + 44},
	"no limit, of Ollama's":            {"/api/chat", `{"options":{"num_predict":-2}}`, 7 + 1000},
	"no limit, of llama.cpp's":         {chatPath, `{"n_predict":-1}`, 4 + 1000},
	"null":                             {chatPath, `{"max_tokens":null}`, 4 + 1000},

	// A data URL is an image where an engine reads one, and text elsewhere.
	"an image":                 {chatPath, `{"max_tokens":10,"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,` + long + `"}}]}]}`, 16 + 1000 + 10},
	"text that only says data": {chatPath, `{"max_tokens":10,"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,` + strings.Repeat("A ", 4000) + `"}}]}]}`, 2022 + 10},
	"a text as a data URL":     {chatPath, `{"max_tokens":10,"messages":[{"content":[{"image_url":{"url":"data:text/plain;base64,` + long + `"}}]}]}`, 10023 + 10},
	"an image in a text":       {chatPath, `{"max_tokens":10,"messages":[{"content":"data:image/png;base64,` + long + `"}]}`, 10016 + 10},
	"an image in a tool":       {chatPath, `{"max_tokens":10,"tools":[{"url":"data:image/png;base64,` + long + `"}]}`, 10015 + 10},
	"an image in a prompt":     {"/v1/completions", `{"max_tokens":10,"prompt":"data:image/png;base64,` + long + `"}`, 10012 + 10},

	"a route in neither":              {"/other", `{"max_tokens":1}`, 4 + 1000},
	"a large limit of it":             {"/other", `{"max_tokens":7000,"n":3}`, 6 + 21000},
	"a limit twice in it":             {"/other", `{"max_tokens":1,"max_tokens":7000}`, -400},
	"text to it":                      {"/other", `max_tokens=7000`, 1000},
	"a list to it":                    {"/other", ` [{"max_tokens":7000}]`, 1000},
	"a byte order mark to it":         {"/other", "\ufeff" + `{"max_tokens":7000}`, -400},
	"two bytes for each letter to it": {"/other", "\x00{\x00}", -400},
	"the same, the small byte first":  {"/other", "{\x00}\x00", -400},
	"white space to it":               {"/other", " \n ", 1000},
	"a model in the path and a limit": {"/v1/models/m", `{"max_tokens":7000}`, 4 + 7000},
	"a route that is free":            {"/v1/models", `{"max_tokens":100}`, 0},
	"a model in the path":             {"/v1/models/m", `{"max_tokens":100}`, 4 + 1000},
	"no body":                         {chatPath, ``, 1000},
	"zero":                            {chatPath, `{"max_tokens":0}`, -400},
	"negative":                        {chatPath, `{"max_tokens":-3}`, -400},
	"minus one answer":                {chatPath, `{"n":-1}`, -400},
	"a fraction":                      {chatPath, `{"max_tokens":1.5}`, -400},
	"text":                            {chatPath, `{"max_tokens":"1"}`, -400},
	"an object":                       {chatPath, `{"max_tokens":{}}`, -400},
	"true":                            {chatPath, `{"n":true}`, -400},
	"above 2^31":                      {chatPath, `{"max_tokens":2147483649}`, -400},
	"far above":                       {chatPath, `{"max_tokens":1e300}`, -400},
	"a product that overflows":        {chatPath, `{"max_tokens":2147483648,"n":2147483648,"best_of":2147483648}`, -429},
	"twice":                           {chatPath, `{"max_tokens":1,"max_tokens":1000000}`, -400},
	"twice, in another spelling":      {chatPath, `{"max_tokens":1,"MAX_TOKENS":1000000}`, -400},
	"in escapes":                      {chatPath, `{"max_token\u0073":300}`, 5 + 300},
	"a background response":           {chatPath, `{"background":true}`, -400},
	"not quite in the background":     {chatPath, `{"background":"yes"}`, -400},
	"in the foreground":               {chatPath, `{"background":false,"max_tokens":1}`, 8 + 1},
	"two documents":                   {chatPath, `{"max_tokens":1}{"max_tokens":1000000}`, -400},
	"no JSON":                         {chatPath, `max_tokens=1`, -400},
	"more than the budget":            {chatPath, `{"max_tokens":1000001}`, -429},
}

// Without reported figures a request is charged what was reserved for it.
func TestWhatARequestReserves(t *testing.T) {
	for name, c := range costCases {
		t.Run(name, func(t *testing.T) {
			g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(newUpstream(t, nil).address(), "budget_reserve 1000"))
			answer, text := g.post(t, c.path, c.body)
			left := "X-Ratelimit-Remaining-Tokens"
			if c.want < 0 {
				if int64(answer.StatusCode) != -c.want || !strings.Contains(text, "budget") && !strings.Contains(text, "limit") {
					t.Errorf("got %d %s, want %d", answer.StatusCode, text, -c.want)
				}
				c.want = 0
				answer, _ = g.ask(t, plainClient(), "GET", "/v1/models", asUser)
			}
			if got := answer.Header.Get(left); got != fmt.Sprint(1_000_000-c.want) {
				t.Errorf("got %d, and %s tokens are left, want %d", answer.StatusCode, got, 1_000_000-c.want)
			}
		})
	}
}

// What is no JSON is forwarded as it comes, of any length.
func TestABodyThatIsNoJSONIsForwardedAsItCame(t *testing.T) {
	got := ""
	u := rawUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
	})
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(u, "max_body 128KiB"))
	for _, body := range []string{" \n ", "--x" + strings.Repeat("\xff{", 40_000), "--x" + strings.Repeat("\xff{", 400_000)} {
		if answer, text := g.post(t, "/other", body); answer.StatusCode != 200 || got != body {
			t.Errorf("got %d %s; the upstream got %d bytes, want %d as they were sent", answer.StatusCode, text, len(got), len(body))
		}
	}
}

// Where the policy does not say where a route has its model, what a body asks for is reserved
// or refused: one that is encoded, or that is large and does not say its length, cannot be.
func TestABodyOfAnotherRouteThatCannotBeReadIsRefused(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, budgeted(t, "budget 1M tokens per day"), budgetSite(up.address(), "max_body 128KiB"))
	large := `{"x":"` + strings.Repeat("a", 200_000) + `"}`
	for name, c := range map[string]struct {
		body   string
		header []string
		want   int
		code   string
	}{
		"encoded":                       {zipped(`{"max_tokens":7000}`), []string{"Content-Encoding", "gzip"}, 415, "CONTENT_ENCODING"},
		"encoded by nothing":            {`{"max_tokens":7}`, []string{"Content-Encoding", "identity"}, 415, "CONTENT_ENCODING"},
		"without a length":              {large, nil, 413, "BODY_TOO_LARGE"},
		"small, without a length":       {`{"max_tokens":7}`, nil, 200, ""},
		"no JSON, without a length":     {strings.Repeat("a", 200_000), nil, 200, ""},
		"white space, without an end":   {strings.Repeat(" ", 200_000) + "{}", nil, 413, "BODY_TOO_LARGE"},
		"other text behind white space": {strings.Repeat(" ", 100_000) + strings.Repeat("a", 100_000), nil, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, code := askWith(t, g.base, tokenInfer, modelCase{method: "POST", target: "/other", header: c.header},
				func() io.Reader { return io.MultiReader(strings.NewReader(c.body)) }) // chunked
			if status != c.want || code != c.code {
				t.Errorf("got %d %s, want %d %s", status, code, c.want, c.code)
			}
			if body, models := last(); c.want == 200 && body != c.body || c.want != 200 && models != "no request" {
				t.Errorf("the upstream got %d bytes and %s", len(body), models)
			}
		})
	}
}
