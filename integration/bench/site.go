package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"
)

// answerLimit is how long one answer may take.
const answerLimit = time.Minute

// bench is the upstream, the clients and a folder for the files of the proxies.
type bench struct {
	dir      string
	upstream *httptest.Server
	client   *http.Client
	token    string
}

func newSite(upstream string) (*bench, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", upstream)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	b := &bench{dir: dir, token: rand.Text() + rand.Text(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	b.upstream = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(engine), DisableGeneralOptionsHandler: true}}
	b.upstream.Start()
	return b, nil
}

func (b *bench) close() {
	b.client.CloseIdleConnections()
	b.upstream.Close()
	_ = os.RemoveAll(b.dir)
}

// ask makes one request and reads its answer. first is the time to the first byte of the
// answer's body.
func (b *bench) ask(ctx context.Context, base, token string, s shape, body string) (first time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+s.path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, values := range s.header {
		r.Header[name] = values
	}
	r.Header.Set("Authorization", "Bearer "+token)
	begin := time.Now()
	answer, err := b.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return 0, fmt.Errorf("%s: %s", answer.Status, said)
	}
	var some [1]byte
	if _, err := io.ReadFull(answer.Body, some[:]); err != nil {
		return 0, err
	}
	first = time.Since(begin)
	_, err = io.Copy(io.Discard, answer.Body)
	return first, err
}

// turn sends a batch of requests over all connections.
func (b *bench) turn(ctx context.Context, p *proxy, s shape) (t turn, err error) {
	before, err := p.cpu()
	if err != nil {
		return t, err
	}
	body, begin := s.body(), time.Now()
	var mu sync.Mutex
	var firsts []float64
	var wg sync.WaitGroup
	for range s.clients {
		wg.Go(func() {
			for range s.batch / s.clients {
				first, failed := b.ask(ctx, p.base, p.token, s, body)
				mu.Lock()
				firsts = append(firsts, micro(first))
				if failed != nil {
					err = failed
				}
				mu.Unlock()
				if failed != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err != nil {
		return t, fmt.Errorf("%s, %s: %w", p.Name, s.name, err)
	}
	t.wall = micro(time.Since(begin)) / float64(len(firsts))
	after, err := p.cpu()
	if err != nil {
		return t, err
	}
	t.cpu, t.first = micro(after-before)/float64(len(firsts)), median(firsts)
	return t, nil
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// turn is what a batch took for each request, in microseconds.
type turn struct{ wall, cpu, first float64 }
