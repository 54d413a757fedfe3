//go:build rolling

package rolling_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// chat is how a streamed chat went.
type chat struct {
	task    string // "" where it was refused
	replica string
	refused string // with which code
	broken  error  // it began, and did not end properly
}

const (
	chatBody = `{"messages":[{"content":"hello","role":"user"}],"model":"demo","max_tokens":30,"stream":true}`
	// maxAsked is how often a client asks that is refused for a moment. OpenAI's own do
	// so twice, unless their user says otherwise.
	maxAsked = 5
)

// chat asks as OpenAI's clients do, which know nothing of tasks: without a key, and again
// only before the first byte, where the status and X-Should-Retry let them.
func (l *load) chat() {
	got := ask(l.fleet.clients.URL)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chats = append(l.chats, got)
}

func ask(base string) (got chat) {
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	for range maxAsked {
		res, err := (client{base: base, token: "unused"}).send(ctx, "POST", "/v1/chat/completions", chatBody, "User-Agent", "OpenAI/Go 3.0.0", "X-Stainless-Lang", "go")
		if err != nil {
			got.refused = "no connection"
			continue
		}
		if res.StatusCode == http.StatusOK {
			got = chat{task: res.Header.Get("X-Task-Id"), replica: res.Header.Get("X-Test-Replica")}
			if err := readChat(res.Body); err != nil {
				got.broken = fmt.Errorf("chat %s at %s: %w", got.task, got.replica, err)
			}
			return got
		}
		var p struct{ Code string }
		_ = json.NewDecoder(res.Body).Decode(&p)
		res.Body.Close()
		got.refused = fmt.Sprintf("%d %s", res.StatusCode, p.Code)
		if res.Header.Get("X-Should-Retry") == "false" || res.StatusCode < 500 && res.StatusCode != 408 && res.StatusCode != 409 && res.StatusCode != 429 {
			return got
		}
		<-time.After(500 * time.Millisecond)
	}
	return got
}

// readChat reads a stream to its proper end.
func readChat(body io.ReadCloser) error {
	defer body.Close()
	var text, reason string
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			if text == "" || reason == "" {
				return fmt.Errorf("the text %q ends with the reason %q", text, reason)
			}
			return nil
		}
		var chunk struct {
			Error   json.RawMessage
			Choices []struct {
				Delta        struct{ Content string }
				FinishReason string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return fmt.Errorf("%w in %q", err, data)
		}
		if chunk.Error != nil {
			return fmt.Errorf("after %q: %s", text, chunk.Error)
		}
		for _, choice := range chunk.Choices {
			text += choice.Delta.Content
			if choice.FinishReason != "" {
				reason = choice.FinishReason
			}
		}
	}
	return errors.Join(fmt.Errorf("after %q: no end", text), lines.Err())
}
