package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// askLimit bounds one attempt that is not a stream: a task may wait for an election.
	askLimit = 20 * time.Second
	// callPatience is how long a client tries one gateway after the other before its call
	// counts as failed, faults or not. All orchestrators killed take 8 s to admit again.
	callPatience = 45 * time.Second
	// callPause is between two attempts.
	callPause = 250 * time.Millisecond
	// staleFor is how long after a reload a connection that had no request yet may still
	// belong to the old server: net/http waits 5 s for its first one.
	staleFor = 6 * time.Second
	// answerLimit bounds an answer that is read whole.
	answerLimit = 1 << 20
)

// soakRun is one soak: the fleet, its load, and what was counted.
type soakRun struct {
	*fleet
	*tally
	faults *windows
	// reloading has the reloads of each gateway. The old server of a reload drops requests
	// that reach it while it stops: net/http closes their connections without an answer.
	reloading [hosts]*windows
	client    *http.Client
	ended     *endedTasks
	out       io.Writer // for progress
}

// attempt is one request and its answer.
type attempt struct {
	host        int
	method      string
	path        string
	status      int // 0: err
	header      http.Header
	body        []byte
	err         error
	begin, done time.Time
}

// dropped reports a connection that was closed before any part of an answer.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// reloaded counts an attempt whose connection the old server of a reload closed.
func (s *soakRun) reloaded(a attempt) bool {
	_, reload := s.reloading[a.host].covers(a.begin.Add(-staleFor), a.done)
	if reload = reload && a.status == 0 && dropped(a.err); reload {
		s.add("connections that a reload closed before an answer")
	}
	return reload
}

// succeeded reports a 200 whose answer was as it should be.
func (a attempt) succeeded() bool { return a.err == nil && a.status == http.StatusOK }

func (a attempt) String() string {
	where := fmt.Sprintf("%s %s at gateway%d after %v", a.method, a.path, a.host+1, a.done.Sub(a.begin).Round(time.Millisecond))
	if a.err != nil {
		return fmt.Sprintf("%s: %v", where, a.err)
	}
	return fmt.Sprintf("%s: status %d: %s", where, a.status, bytes.TrimSpace(a.body[:min(len(a.body), 300)]))
}

// request makes one for a gateway. A zero secret sends no token.
func (s *soakRun) request(ctx context.Context, host int, secret authmin.Secret, method, path, body string, header ...string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.hosts[host].edge+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if !secret.IsZero() {
		r.Header.Set("Authorization", "Bearer "+secret.Reveal())
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r, nil
}

// ask makes one request and reads its answer whole.
func (s *soakRun) ask(ctx context.Context, host int, secret authmin.Secret, method, path, body string, header ...string) attempt {
	a := attempt{host: host, method: method, path: path, begin: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	defer func() { a.done = time.Now() }()
	r, err := s.request(ctx, host, secret, method, path, body, header...)
	if err != nil {
		a.err = err
		return a
	}
	answer, err := s.client.Do(r)
	if err != nil {
		a.err, a.done = err, time.Now()
		return a
	}
	defer answer.Body.Close()
	a.header, a.status = answer.Header, answer.StatusCode
	if a.body, err = io.ReadAll(io.LimitReader(answer.Body, answerLimit)); err != nil {
		a.err = fmt.Errorf("reading the answer: %w", err)
	}
	a.done = time.Now()
	return a
}

// judge notes an attempt that failed: in a fault it may, if it is the connection's or the
// backend's failure; a refusal of the request itself never.
func (s *soakRun) judge(kind string, a attempt) {
	what, fault := s.faults.covers(a.begin, a.done)
	transient := a.err != nil || a.status >= http.StatusInternalServerError || a.status == http.StatusTooManyRequests
	if s.reloaded(a) {
		return
	}
	if fault && transient {
		s.add(kind + ": attempts that failed in a fault")
		return
	}
	s.breaks(ruleValid, "%s (fault: %s): %v", kind, nameOr(what, "none"), a)
}

func nameOr(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// call repeats try at one gateway after the other until it is done, or callPatience has
// passed. The end of ctx is no failure.
func (s *soakRun) call(ctx context.Context, kind string, try func(host int) (a attempt, done bool)) bool {
	first, begin := time.Now(), time.Now()
	var last attempt
	for host := rand.IntN(len(s.hosts)); ; host = (host + 1) % len(s.hosts) {
		a, done := try(host)
		if done {
			s.add(kind)
			s.took(kind+", until it succeeded", time.Since(first))
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.judge(kind, a)
		if a.status == http.StatusOK {
			begin = a.done // a stream that a fault broke: the call is as new
		}
		if last = a; time.Since(begin) > callPatience {
			s.breaks(ruleValid, "%s: no gateway within %v, the last: %v", kind, callPatience, last)
			return false
		}
		if !pause(ctx, callPause) {
			return false
		}
	}
}

// keptFor is how long a client keeps a connection without a request, shorter than staleFor:
// the old server of a reload leaves one that never had any open for a minute, and drops the
// first request on it.
const keptFor = 3 * time.Second

// newClient keeps connections, as SDKs do.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 32, MaxConnsPerHost: 512, IdleConnTimeout: keptFor,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	}}
}
