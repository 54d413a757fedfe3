package tasks_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// endpoint is where an OpenAI chat can be had: the engine itself, or the gateway.
type endpoint struct {
	base, token string
	client      *http.Client
}

// answer is how one streamed chat went.
type answer struct {
	first time.Duration // from the request to the first token
	whole time.Duration
	count int
}

// ask streams one chat of so many tokens.
func (e endpoint) ask(tokens int) (answer, error) {
	body := fmt.Sprintf(`{"model":"demo","stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"Why is the sky blue?"}]}`, tokens)
	r, err := http.NewRequest(http.MethodPost, e.base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+e.token)
	r.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	response, err := e.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return answer{}, fmt.Errorf("asking: %s: %s", response.Status, text)
	}
	var a answer
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if !isToken(lines.Bytes()) {
			continue
		}
		if a.count++; a.count == 1 {
			a.first = time.Since(begin)
		}
	}
	a.whole = time.Since(begin)
	if lines.Err() != nil || a.count != tokens {
		return a, fmt.Errorf("asking: %d of %d tokens, %v", a.count, tokens, lines.Err())
	}
	return a, nil
}

// isToken tells a chunk with text from those with the role, the end or the usage.
func isToken(line []byte) bool {
	_, text, found := bytes.Cut(line, []byte(`"content":"`))
	return found && !bytes.HasPrefix(text, []byte(`"`))
}

const (
	firstTokens = 100 // chats in one turn, one after the other
	streams     = 100 // at once
	streamed    = 200 // tokens of each
)

// BenchmarkAddedToFirstToken is what gateway, orchestrator and pool manager add
// to the first token of an idle engine: the difference of the medians, chats
// asked in turn, one through everything and one of the engine itself.
func BenchmarkAddedToFirstToken(b *testing.B) {
	c := startChain(b, "5ms")
	var direct, through []float64
	for b.Loop() {
		for range firstTokens {
			direct = append(direct, c.direct.firstToken(b))
			through = append(through, c.through.firstToken(b))
		}
	}
	b.ReportMetric(median(through)-median(direct), "ms-added")
	b.ReportMetric(quantile(through, 0.95)-quantile(direct, 0.95), "ms-added-p95")
	b.ReportMetric(median(direct), "ms-direct")
	b.ReportMetric(0, "ns/op")
}

func (e endpoint) firstToken(b *testing.B) float64 {
	b.Helper()
	a, err := e.ask(2)
	if err != nil {
		b.Fatal(err)
	}
	return float64(a.first.Microseconds()) / 1000
}

// BenchmarkTokenThroughput is the tokens a second of 100 streams at once through
// everything, as a share of what they get from the engine itself: at the speed
// of a large model (50 tokens a second each), at the demo engine's own (200),
// and with an engine that never waits, where the machine is the limit.
func BenchmarkTokenThroughput(b *testing.B) {
	for _, delay := range []string{"20ms", "5ms", "0s"} {
		b.Run(delay, func(b *testing.B) {
			c := startChain(b, delay)
			var rates, ratios []float64
			for b.Loop() {
				direct := c.direct.throughput(b)
				through := c.through.throughput(b)
				rates, ratios = append(rates, through), append(ratios, through/direct)
			}
			b.ReportMetric(median(rates), "tokens/s")
			b.ReportMetric(median(ratios), "through/direct")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (e endpoint) throughput(b *testing.B) float64 {
	b.Helper()
	var wg sync.WaitGroup
	begin := time.Now()
	for range streams {
		wg.Go(func() {
			if _, err := e.ask(streamed); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	return streams * streamed / time.Since(begin).Seconds()
}

// json makes one call and reads its answer.
func (e endpoint) json(method, path, body string, into any) error {
	r, err := http.NewRequest(method, e.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+e.token)
	r.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
