package adapter_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// scripted is an engine in a bubble: it sends each part after its pause, and then
// nothing more. hungUp is closed when its caller has gone.
type scripted struct {
	parts  []part
	hungUp chan struct{}
}

type part struct {
	after time.Duration
	text  string
}

// RoundTrip implements http.RoundTripper. The first part is what it answers with.
func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	context.AfterFunc(r.Context(), func() {
		writer.CloseWithError(r.Context().Err())
		close(s.hungUp)
	})
	go func() {
		for _, p := range s.parts {
			<-time.After(p.after)
			if _, err := io.WriteString(writer, p.text); err != nil {
				return
			}
		}
	}()
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: reader, Request: r}, nil
}

var limits = adapter.Limits{FirstToken: 10 * time.Minute, BetweenTokens: 2 * time.Minute}

const whole = 24 * time.Hour

func TestAnEngineThatMakesNoProgressIsHungUpOnInTime(t *testing.T) {
	chat := nodeapi.DispatchRequest{Messages: messages}
	const minute = time.Minute
	many := func(n int, every time.Duration, text string) (list []part) {
		for range n {
			list = append(list, part{every, text})
		}
		return list
	}
	reasoning := `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n"
	for name, c := range map[string]struct {
		task   nodeapi.DispatchRequest
		parts  []part
		after  time.Duration
		reason string
	}{
		"nothing at all":                  {chat, nil, 10 * minute, "first_token_limit_ms"},
		"comments alone":                  {chat, many(100, 15*time.Second, ": alive\n\n"), 10 * minute, "first_token_limit_ms"},
		"empty lines alone":               {chat, many(100, 15*time.Second, "\n\n"), 10 * minute, "first_token_limit_ms"},
		"empty events alone":              {chat, many(100, 15*time.Second, "data:\n\n"), 10 * minute, "first_token_limit_ms"},
		"pings alone":                     {chat, many(100, 15*time.Second, "event: ping\ndata: {}\n\n"), 10 * minute, "first_token_limit_ms"},
		"a role alone":                    {chat, many(100, 15*time.Second, `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}`+"\n\n"), 10 * minute, "first_token_limit_ms"},
		"usage alone":                     {chat, many(100, 15*time.Second, `data: {"choices":[],"usage":{"prompt_tokens":1}}`+"\n\n"), 10 * minute, "first_token_limit_ms"},
		"half an event for ever":          {chat, many(1000, time.Second, `x`), 10 * minute, "first_token_limit_ms"},
		"one token, then nothing":         {chat, []part{{minute, chatPiece}}, 3 * minute, "between_tokens_limit_ms"},
		"one token, then comments":        {chat, append([]part{{minute, chatPiece}}, many(100, 15*time.Second, ": alive\n\n")...), 3 * minute, "between_tokens_limit_ms"},
		"tokens, then no finish":          {chat, many(100, 119*time.Second, chatPiece), 100*119*time.Second + 2*minute, "between_tokens_limit_ms"},
		"a finish, then no [DONE]":        {chat, []part{{minute, chatPiece}, {0, chatFinish}}, 3 * minute, "between_tokens_limit_ms"},
		"reasoning, then nothing":         {chat, many(20, minute, reasoning), 22 * minute, "between_tokens_limit_ms"},
		"embeddings, none":                {embed, nil, 10 * minute, "first_token_limit_ms"},
		"embeddings, one":                 {embed, []part{{minute, `{"data":[{"index":0,"embedding":[1]}`}}, 3 * minute, "between_tokens_limit_ms"},
		"embeddings, one that never ends": {embed, append([]part{{0, `{"data":[{"index":0,"embedding":[1`}}, many(1000, time.Second, ",1")...), 10 * minute, "first_token_limit_ms"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "half") {
				c.parts = append([]part{{0, "data: "}}, c.parts...)
			}
			synctest.Test(t, func(t *testing.T) {
				engine := &scripted{c.parts, make(chan struct{})}
				begin := time.Now()
				_, err := adapter.OpenAI.Run(t.Context(), &http.Client{Transport: engine}, adapter.Target{Base: "http://engine", Model: "m", Limits: limits}, c.task,
					func(nodeapi.Event) error { return nil })
				var got *adapter.Error
				if !errors.As(err, &got) || got.Class != adapter.ClassReset || !got.Stalled || !strings.Contains(got.Message, c.reason) {
					t.Errorf("got %v, want a stall by %s", err, c.reason)
				}
				if took := time.Since(begin); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				<-engine.hungUp
				<-time.After(whole) // what the script still has
			})
		})
	}
}

func TestAStreamThatFlowsHasNoLimit(t *testing.T) {
	var parts []part
	for range 2000 {
		parts = append(parts, part{110 * time.Second, chatPiece})
	}
	parts = append(parts, part{time.Minute, chatFinish + done})
	for name, c := range map[string]struct {
		limits adapter.Limits
		parts  []part
	}{
		"tokens just in time": {limits, parts},
		"no limits":           {adapter.Limits{}, []part{{whole, chatPiece}, {whole, chatFinish + done}}},
		"no limit between":    {adapter.Limits{FirstToken: time.Minute}, []part{{time.Second, chatPiece}, {whole, chatFinish + done}}},
		"no limit to begin":   {adapter.Limits{BetweenTokens: time.Minute}, []part{{whole, chatPiece}, {time.Second, chatFinish + done}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			engine := &scripted{c.parts, make(chan struct{})}
			result, err := adapter.OpenAI.Run(t.Context(), &http.Client{Transport: engine}, adapter.Target{Base: "http://engine", Limits: c.limits},
				nodeapi.DispatchRequest{Messages: messages}, func(nodeapi.Event) error { return nil })
			if err != nil || result.FinishReason != "stop" {
				t.Errorf("%s: got %+v, %v, want a whole answer", name, result, err)
			}
			<-engine.hungUp
			synctest.Wait()
		})
	}
}

func TestAReceiverThatIsSlowIsNotTakenForAnEngineThatIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &scripted{[]part{{0, chatPiece}, {0, chatPiece}, {0, chatFinish + done}}, make(chan struct{})}
		_, err := adapter.OpenAI.Run(t.Context(), &http.Client{Transport: engine}, adapter.Target{Base: "http://engine", Limits: limits},
			nodeapi.DispatchRequest{Messages: messages}, func(nodeapi.Event) error { <-time.After(time.Hour); return nil })
		if err != nil {
			t.Errorf("got %v, want a whole answer", err)
		}
		<-engine.hungUp
		synctest.Wait()
	})
}
