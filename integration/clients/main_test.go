// Package clients_test talks to "llorch up", through the gateway, with the official
// clients of OpenAI, Anthropic and Ollama, as their users do. The engine is the demo
// engine. What no switch of up can shorten, such as the time between heartbeats, runs
// with an orchestrator and a pool manager in the test itself.
package clients_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/poolmanager/demoengine"
)

// TestMain lets the test binary be the demo engine.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "demo-engine" {
		if err := demoengine.Run(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(gatewaytest.Run(m))
}

// limit is how long one call may take. The demo engine answers in a third of a second, a
// real one on a busy machine may have to load its model first.
const limit = 2 * time.Minute

// site is a gateway and its tokens.
type site struct {
	base        string    // of Anthropic's and Ollama's clients; OpenAI's add /v1
	user, other string    // a token that may infer, and one that may not
	late        [4]string // identities with scope infer whose tasks are those of one test
	admin       gatewaytest.Client
}

// TestOfficialClients starts up once; the tests are independent of each other.
func TestOfficialClients(t *testing.T) {
	s := startSite(t)
	for name, test := range map[string]func(*testing.T, site){
		"openai: a chat, whole and streamed":             openaiChat,
		"openai: usage of a stream, asked for or not":    openaiStreamUsage,
		"openai: tools over two turns":                   openaiTools,
		"openai: tools over two turns, streamed":         openaiStreamedTools,
		"openai: structured output":                      openaiStructured,
		"openai: log probabilities and two answers":      openaiLogprobs,
		"openai: an image":                               openaiImage,
		"openai: completions":                            openaiCompletions,
		"openai: embeddings":                             openaiEmbeddings,
		"openai: models":                                 openaiModels,
		"openai: a response, whole and streamed":         openaiResponses,
		"openai: tools of responses over two turns":      openaiResponsesTools,
		"openai: structured output of responses":         openaiResponsesStructured,
		"openai: a response by its id":                   openaiStored,
		"openai: counted input, and what no engine has":  openaiResponsesCounted,
		"what the SDKs' types require":                   requiredMembers,
		"what they require of lists":                     requiredOfLists,
		"what goes wrong, as the document says":          whatGoesWrong,
		"documents by their relevance":                   rerank,
		"openai: errors":                                 openaiErrors,
		"openai: a refusal for good is asked once":       openaiRefusedOnce,
		"openai: a client that leaves cancels its task":  openaiAbort,
		"openai: a client's time-out cancels its task":   openaiTimeout,
		"openai: one that leaves a response":             openaiAbortedResponse,
		"anthropic: one that leaves, and a time-out":     anthropicLeaves,
		"ollama: one that leaves, and a time-out":        ollamaLeaves,
		"openai: a task that is canceled":                openaiCanceled,
		"anthropic: a task that is canceled":             anthropicCanceled,
		"ollama: a task that is canceled":                ollamaCanceled,
		"anthropic: a message, whole":                    anthropicWhole,
		"anthropic: a message, streamed":                 anthropicStreamed,
		"anthropic: tools over two turns, also streamed": anthropicTools,
		"anthropic: counted tokens":                      anthropicCount,
		"anthropic: structured output":                   anthropicStructured,
		"images that the engine would fetch":             fetchedImages,
		"anthropic: errors":                              anthropicErrors,
		"anthropic: a refusal for good is asked once":    anthropicRefusedOnce,
		"ollama: a chat, whole and streamed":             ollamaChat,
		"ollama: tools over two turns":                   ollamaTools,
		"ollama: a generation, whole and streamed":       ollamaGenerate,
		"ollama: structured output":                      ollamaStructured,
		"ollama: embeddings, models and the version":     ollamaOthers,
		"ollama: errors":                                 ollamaErrors,
		"a stream goes on where its reader has left it":  resumed,
		"a stream goes on at the task's events":          resumedAtEvents,
		"a stream of lines goes on after a line":         resumedLines,
		"64 seeds, as from the engine":                   everySeed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

func startSite(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var tokens []authmin.Token
	token := func(name string, scope authmin.Scope) string {
		secret := authmin.RandomSecret()
		tokens = append(tokens, authmin.NewToken(name, secret, scope))
		return secret.Reveal()
	}
	s := site{user: token("user", authmin.ScopeInfer), other: token("other", authmin.ScopeMetrics)}
	for i := range s.late {
		s.late[i] = token(fmt.Sprintf("late-%d", i), authmin.ScopeInfer)
	}
	admin := token("root", authmin.ScopeAdmin)
	if err := authmin.WriteKeyringFile(filepath.Join(dir, "tokens"), tokens); err != nil {
		t.Fatal(err)
	}
	u := gatewaytest.StartUpIn(t, dir, nil, "--engine", "demo")
	s.base, s.admin = u.Base, u.As(admin)
	return s
}

// openai is OpenAI's client as its users make it, but for repeated calls.
func (s site) openai(token string, options ...openaioption.RequestOption) openai.Client {
	return openai.NewClient(append([]openaioption.RequestOption{
		openaioption.WithBaseURL(s.base + "/v1"), openaioption.WithAPIKey(token), openaioption.WithMaxRetries(0), openaioption.WithRequestTimeout(limit),
	}, options...)...)
}
