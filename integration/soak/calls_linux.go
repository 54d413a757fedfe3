package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

// The kinds of valid calls, as the report names them.
const (
	kindChat       = "chat"
	kindStream     = "chat streamed"
	kindSlow       = "chat streamed to a slow reader"
	kindEmbeddings = "embeddings"
	kindTask       = "task with a key"
)

const (
	// streamLimit bounds one stream: the longest take a minute.
	streamLimit = 5 * time.Minute
	// longestLine bounds an event of a stream.
	longestLine = 64 << 10
)

// chat asks for an answer in one piece.
func (s *soakRun) chat(ctx context.Context) {
	tokens := 1 + rand.IntN(5)
	body := fmt.Sprintf(`{"model":"demo","max_tokens":%d,"messages":[{"role":"user","content":"soak"}]}`, tokens)
	s.call(ctx, kindChat, func(host int) (attempt, bool) {
		a := s.ask(ctx, host, s.keys.secret("ci"), http.MethodPost, "/v1/chat/completions", body)
		var answer struct {
			Usage struct {
				CompletionTokens int `json:"completion_tokens"`
			} `json:"usage"`
		}
		if a.err == nil && a.status == http.StatusOK {
			if a.err = json.Unmarshal(a.body, &answer); a.err == nil && answer.Usage.CompletionTokens != tokens {
				a.err = fmt.Errorf("%d tokens, want %d", answer.Usage.CompletionTokens, tokens)
			}
		}
		return a, a.succeeded()
	})
}

// embeddings asks for the vectors of some texts.
func (s *soakRun) embeddings(ctx context.Context) {
	const texts = 3
	s.call(ctx, kindEmbeddings, func(host int) (attempt, bool) {
		a := s.ask(ctx, host, s.keys.secret("other"), http.MethodPost, "/v1/embeddings", `{"model":"demo","input":["one","two","three"]}`)
		var answer struct {
			Data []json.RawMessage `json:"data"`
		}
		if a.err == nil && a.status == http.StatusOK {
			if a.err = json.Unmarshal(a.body, &answer); a.err == nil && len(answer.Data) != texts {
				a.err = fmt.Errorf("%d vectors, want %d", len(answer.Data), texts)
			}
		}
		return a, a.succeeded()
	})
}

// stream asks for an answer in pieces.
func (s *soakRun) stream(ctx context.Context) {
	tokens := 2 + rand.IntN(14)
	s.call(ctx, kindStream, func(host int) (attempt, bool) {
		a := s.readStream(ctx, host, s.keys.secret("ci"), s.client, tokens, nil)
		return a, a.succeeded()
	})
}

// readStream reads one streamed chat to its end; each is called for every chunk. Other
// answers than a whole stream with that many tokens are errors.
func (s *soakRun) readStream(ctx context.Context, host int, secret authmin.Secret, client *http.Client, tokens int, each func()) (a attempt) {
	a = attempt{host: host, method: http.MethodPost, path: "/v1/chat/completions", begin: time.Now()}
	defer func() { a.done = time.Now() }()
	ctx, cancel := context.WithTimeout(ctx, streamLimit)
	defer cancel()
	body := fmt.Sprintf(`{"model":"demo","stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"soak"}]}`, tokens)
	r, err := s.request(ctx, host, secret, http.MethodPost, a.path, body)
	if err != nil {
		a.err = err
		return a
	}
	answer, err := client.Do(r)
	if err != nil {
		a.err = err
		return a
	}
	defer answer.Body.Close()
	if a.status = answer.StatusCode; a.status != http.StatusOK {
		a.body, _ = io.ReadAll(io.LimitReader(answer.Body, answerLimit))
		return a
	}
	got, whole, err := chunks(bufio.NewReaderSize(answer.Body, longestLine), each)
	switch {
	case err != nil:
		a.err = fmt.Errorf("after %d tokens: %w", got, err)
	case !whole:
		a.err = fmt.Errorf("it ended after %d tokens, without its end", got)
	case got != tokens:
		a.err = fmt.Errorf("%d tokens, want %d", got, tokens)
	}
	return a
}

// chunks counts the tokens of a streamed chat; whole says that it came to its end.
func chunks(lines *bufio.Reader, each func()) (tokens int, whole bool, err error) {
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return tokens, whole, err
		}
		data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		if !ok {
			continue
		}
		if bytes.Equal(data, []byte("[DONE]")) {
			return tokens, true, nil
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
			Error json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			return tokens, false, fmt.Errorf("reading a chunk: %w", err)
		}
		if chunk.Error != nil {
			return tokens, false, fmt.Errorf("error event %.300s", chunk.Error)
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			tokens++
		}
		if each != nil {
			each()
		}
	}
}
