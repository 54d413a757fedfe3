package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

// What operators do, which disturbs no valid request: these are no faults.

const (
	reloadEvery = 40 * time.Second
	revokeEvery = 75 * time.Second
	floodEvery  = 2 * time.Minute
	// revokeLimit is when a stream of a revoked token, or a request with it, breaks the
	// rule. auth.md promises a second; on a machine that others use a keyring may be read
	// later than every half second. The longest is in the report.
	revokeLimit   = 5 * time.Second
	revokeStreams = 3
	// opened is how many chunks a stream has before its token is revoked.
	opened = 3
	// longTokens is an answer of about a minute.
	longTokens = 300
	// witnesses are streams of a token that is never revoked, one after the other each.
	witnesses = 3
	// reloadLimit bounds one reload; on a busy machine it takes a second.
	reloadLimit = 30 * time.Second
)

// reload loads a gateway's configuration again, with a comment that makes it another one.
func (s *soakRun) reload(ctx context.Context, host, turn int) {
	h := s.hosts[host]
	begin := time.Now()
	s.reloading[host].open("reload")
	defer s.reloading[host].close()
	err := reloadGateway(ctx, h.socket(), fmt.Sprintf("%s\n# reload %d\n", h.config, turn))
	_, fault := s.faults.covers(begin, time.Now())
	switch {
	case err == nil:
		s.add("reloads")
		s.took("reloads", time.Since(begin))
	case fault || ctx.Err() != nil:
		s.add("reloads that failed in a fault")
	default:
		s.breaks(ruleValid, "reloading gateway%d: %v", host+1, err)
	}
}

// reloadGateway sends a Caddyfile to the admin socket.
func reloadGateway(ctx context.Context, socket, config string) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/load", bytes.NewReader([]byte(config)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	r.Header.Set("Cache-Control", "must-revalidate") // or an equal configuration is not loaded
	answer, err := socketClient(socket).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said := make([]byte, 500)
		n, _ := answer.Body.Read(said)
		return fmt.Errorf("status %d: %s", answer.StatusCode, said[:n])
	}
	return nil
}

// socketClient connects to a Unix socket; the host of a URL is ignored.
func socketClient(path string) *http.Client {
	return &http.Client{Timeout: reloadLimit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// revocation opens streams with a token at each gateway, revokes it, and takes the time
// until they end. Afterwards the token must be refused, and the name gets another one.
func (s *soakRun) revocation(ctx context.Context, turn int) {
	name := fmt.Sprint("passing", turn%revocable)
	secret := s.keys.secret(name)
	ctx, cancel := context.WithTimeout(ctx, streamLimit)
	defer cancel()
	var begun, all sync.WaitGroup
	ends := make([]attempt, revokeStreams)
	for i := range revokeStreams {
		begun.Add(1)
		all.Go(func() {
			once := sync.OnceFunc(begun.Done)
			chunks := 0
			ends[i] = s.readStream(ctx, i%len(s.hosts), secret, s.client, longTokens, func() {
				if chunks++; chunks == opened {
					once()
				}
			})
			once() // it may have failed before
		})
	}
	begun.Wait()
	at := time.Now()
	if err := s.keys.revoke(name); err != nil {
		s.breaks(ruleRevoked, "%v", err)
	}
	s.add("revocations")
	overdue := time.AfterFunc(2*revokeLimit, cancel)
	all.Wait()
	overdue.Stop()
	for i, a := range ends {
		s.judgeRevoked(i, a, at)
	}
	if wait := revokeLimit - time.Since(at); wait > 0 && !pause(ctx, wait) {
		return
	}
	for host := range s.hosts {
		s.judgeRefusal(s.ask(ctx, host, secret, http.MethodGet, "/v1/models", ""), "a revoked token", http.StatusUnauthorized)
	}
	if err := s.keys.renew(name); err != nil {
		s.breaks(ruleRevoked, "%v", err)
	}
	s.renewed(ctx, s.keys.secret(name))
}

func (s *soakRun) judgeRevoked(i int, a attempt, at time.Time) {
	switch _, fault := s.faults.covers(a.begin, a.done); {
	case a.done.Before(at) && s.reloaded(a):
	case a.done.Before(at) && fault:
		s.add("streams to be revoked that failed in a fault")
	case a.done.Before(at):
		s.breaks(ruleValid, "stream %d of a token that was to be revoked: %v", i, a)
	case a.done.Sub(at) > revokeLimit && !fault:
		s.breaks(ruleRevoked, "stream %d ended %v after the revocation: %v", i, a.done.Sub(at), a)
	case a.done.Sub(at) > revokeLimit:
		s.add("revoked streams that went on in a fault")
	default:
		s.add("revoked streams")
		if !fault {
			s.took("revoked streams, until ended", a.done.Sub(at))
		}
	}
}

// renewed waits until the new token of a name is accepted by every gateway.
func (s *soakRun) renewed(ctx context.Context, secret authmin.Secret) {
	begin := time.Now()
	for host := range s.hosts {
		for {
			a := s.ask(ctx, host, secret, http.MethodGet, "/v1/models", "")
			if a.succeeded() || ctx.Err() != nil {
				break
			}
			if _, fault := s.faults.covers(begin, a.done); !fault && time.Since(begin) > revokeLimit {
				s.breaks(ruleValid, "a new token after %v: %v", time.Since(begin), a)
				break
			}
			if !pause(ctx, callPause) {
				return
			}
		}
	}
	s.took("new tokens, until accepted", time.Since(begin))
}

// witness reads long streams, one after the other, which only a fault may break. It pauses
// between two: the old server of a reload closes the connection of a stream that began
// before, when it has ended, and would drop another request on it.
func (s *soakRun) witness(ctx context.Context, i int) {
	for ctx.Err() == nil {
		a := s.readStream(ctx, i%len(s.hosts), s.keys.secret("other"), s.client, longTokens, nil)
		switch {
		case ctx.Err() != nil:
		case a.succeeded():
			s.add("long streams")
		default:
			s.judge("long streams", a)
		}
		pause(ctx, time.Second)
	}
}
