package adapter_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestTheEnginesTextIsBoundedPrintableAndWithoutCredentials(t *testing.T) {
	const key = "engine-key-0123456789-abcdefghij"
	for name, body := range map[string]string{
		"its key":                  "wrong key " + key,
		"its key in JSON":          `{"error":{"message":"wrong key ` + key + `"}}`,
		"half of its key":          "wrong key " + key[:20] + "... " + key[12:],
		"its key at the bound":     strings.Repeat("x ", 2040) + " " + key + strings.Repeat(" y", 4000),
		"another's bearer":         "Authorization: Bearer abcdef-abcdef",
		"another's key":            "api_key=sk-abcdefghijklmnop1234",
		"a bare token":             "sent hf_abcdefghijklmnopqrstuvwxyz",
		"control characters":       "a\x1b[31mred\x00 \u202eleft",
		"as long as an engine has": strings.Repeat("word ", 100_000),
	} {
		for _, status := range []int{200, 500} {
			_, _, err := answerOf(t, adapter.OpenAI, nodeapi.DispatchRequest{Prompt: "x"}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(status)
				io.WriteString(w, body)
			})
			var got *adapter.Error
			if !errors.As(err, &got) || len(got.Message) > 500 {
				t.Fatalf("%s, %d: got %v", name, status, err)
			}
			for _, secret := range []string{"engine-key-0", key[12:], "abcdef", "\x1b", "\x00", "\u202e"} {
				if strings.Contains(got.Message, secret) {
					t.Errorf("%s, %d: got %q, which shows %q", name, status, got.Message, secret)
				}
			}
		}
	}
}

func TestABusyEngineSaysWhenToComeAgain(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		least  time.Duration
		most   time.Duration
	}{
		"seconds":  {"7", 7 * time.Second, 7 * time.Second},
		"a date":   {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 59 * time.Minute, time.Hour},
		"the past": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0},
		"negative": {"-1", 0, 0},
		"for ever": {"99999999999", nodeapi.MaxRetryAfter, nodeapi.MaxRetryAfter},
		"nothing":  {"", 0, 0},
		"no sense": {"soon", 0, 0},
	} {
		for _, status := range []int{429, 503} {
			_, _, err := answerOf(t, adapter.OpenAI, nodeapi.DispatchRequest{Prompt: "x"}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", c.header)
				w.WriteHeader(status)
				io.WriteString(w, `{"error":{"message":"queue is full"}}`)
			})
			var got *adapter.Error
			if !errors.As(err, &got) || got.Class != adapter.ClassBusy || got.RetryAfter < c.least || got.RetryAfter > c.most || !strings.Contains(got.Message, "queue is full") {
				t.Errorf("%s, %d: got %+v, want %v to %v", name, status, err, c.least, c.most)
			}
		}
	}
}
