package demoengine

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// job is one answer to make, whichever route asked for it.
type job struct {
	prompt string
	tokens int
	seed   int64
	stop   []string
	stream bool
	format format
}

// result is the end of an answer: counts and the finish reason.
type result struct {
	text      string
	tokensIn  int
	tokensOut int
	cut       bool // by the limit, not by a stop word
	took      time.Duration
}

// format is how one route wraps the same answer.
type format struct {
	piece func(token string, index int) any // one streamed token
	last  func(result) []any                // what ends the stream
	whole func(result) any                  // the answer in one piece
	done  bool                              // the stream closes with [DONE]
}

// run takes a slot, makes the answer and gives the slot back, also when the
// client hangs up meanwhile.
func (e *engine) run(w http.ResponseWriter, r *http.Request, j job) {
	select {
	case e.slots <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	defer func() { <-e.slots }()
	if !j.stream {
		if done, err := e.generate(r.Context(), j, func(string, int) error { return nil }); err == nil {
			reply(w, j.format.whole(done))
		}
		return
	}
	events := newEventWriter(w)
	done, err := e.generate(r.Context(), j, func(token string, i int) error {
		return events.send(j.format.piece(token, i))
	})
	if err != nil {
		return
	}
	for _, body := range j.format.last(done) {
		if events.send(body) != nil {
			return
		}
	}
	if j.format.done {
		events.close()
	}
}

func (e *engine) generate(ctx context.Context, j job, emit func(string, int) error) (result, error) {
	begin := time.Now()
	source, text := newAnswer(j.prompt, j.seed), strings.Builder{}
	done := result{tokensIn: countTokens(j.prompt), cut: true}
	for done.tokensOut < j.tokens {
		if e.settings.stallAfter > 0 && done.tokensOut >= e.settings.stallAfter {
			<-ctx.Done()
			return done, ctx.Err()
		}
		if err := pause(ctx, e.settings.tokenDelay); err != nil {
			return done, err
		}
		token := source.token()
		if len(j.stop) > 0 && stops(text.String()+token, j.stop) {
			done.cut = false
			break
		}
		text.WriteString(token)
		if err := emit(token, done.tokensOut); err != nil {
			return done, err
		}
		done.tokensOut++
	}
	done.text, done.took = text.String(), time.Since(begin)
	return done, nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func stops(text string, words []string) bool { return stopWord(text, words) != "" }

// stopWord is the first of the words that the text has.
func stopWord(text string, words []string) string {
	for _, word := range words {
		if word != "" && strings.Contains(text, word) {
			return word
		}
	}
	return ""
}
