package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	caseReloadsNumber = 1000
	// reloadPause is between two reloads: without it a machine with two cores does nothing
	// but provision configurations.
	reloadPause = 50 * time.Millisecond
	caseStreams = 50 // that must outlive all reloads
	// streamSilence is when a stream counts as dead: many beats.
	streamSilence = time.Minute
	// openers open streams side by side.
	openers = 32
)

// caseReloads loads the configuration 1,000 times while valid and invalid requests are made
// and streams are open.
func caseReloads(ctx context.Context, e *edge) error {
	stays := func() authmin.Secret { return e.keys.secret("stays") }
	streams, err := e.openAll(ctx, stays(), caseStreams)
	if err != nil {
		return err
	}
	defer closeAll(streams)
	var ended atomic.Int64
	readers := readAll(streams, func() { ended.Add(1) })
	stopValid := e.clients(ctx, 8, 5*time.Millisecond, "valid", stays, true)
	stopWrong := e.clients(ctx, 2, 5*time.Millisecond, "unknown token", authmin.RandomSecret, false)
	stopNone := e.clients(ctx, 2, 5*time.Millisecond, "no token", func() authmin.Secret { return authmin.Secret{} }, false)
	for turn := range caseReloadsNumber {
		if err := e.reload(ctx, turn); err != nil {
			return err
		}
		if !pause(ctx, reloadPause) {
			break
		}
	}
	stopValid()
	stopWrong()
	stopNone()
	if n := ended.Load(); n > 0 {
		e.breaks(ruleValid, "%d of %d streams ended with a reload", n, caseStreams)
	}
	closeAll(streams)
	readers.Wait()
	return ctx.Err()
}

// reload loads the configuration. The admin endpoint, too, is replaced by a reload, and may
// close the connection of the next one.
func (e *edge) reload(ctx context.Context, turn int) error {
	begin := time.Now()
	for try := 0; ; try++ {
		err := reloadGateway(ctx, e.socket(), fmt.Sprintf("%s\n# reload %d\n", e.config, turn))
		switch {
		case err == nil:
			e.add("reloads")
			e.took("reload", time.Since(begin))
			return nil
		case try == resends || !dropped(err):
			return fmt.Errorf("reload %d: %w", turn, err)
		}
		e.add("reloads: sent again")
	}
}

// openStream begins one on a connection of its own and reads its first event.
func (e *edge) openStream(secret authmin.Secret) (*rawStream, error) {
	conn, err := net.DialTimeout("tcp", e.address, askLimit)
	if err != nil {
		return nil, err
	}
	s := &rawStream{conn, bufio.NewReaderSize(conn, 512)}
	_ = conn.SetDeadline(time.Now().Add(streamSilence)) // a live connection has deadlines
	_, err = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer %s\r\n\r\n", secret.Reveal())
	if err == nil {
		err = s.event()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	return s, nil
}

// rawStream is one, with no more memory than 10,000 of them may have.
type rawStream struct {
	conn  net.Conn
	lines *bufio.Reader
}

// event reads to the end of the next event.
func (s *rawStream) event() error {
	for {
		line, err := s.lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		text := string(line)
		if strings.HasPrefix(text, "HTTP/1.1 ") && !strings.HasPrefix(text, "HTTP/1.1 200") {
			return fmt.Errorf("answered %s", strings.TrimSpace(text))
		}
		if strings.HasPrefix(text, "data: ") {
			return nil
		}
	}
}

func (e *edge) openAll(ctx context.Context, secret authmin.Secret, number int) ([]*rawStream, error) {
	all := make([]*rawStream, number)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var opening sync.WaitGroup
	for range openers {
		opening.Go(func() {
			for i := next.Add(1) - 1; i < int64(number) && ctx.Err() == nil && failed.Load() == nil; i = next.Add(1) - 1 {
				s, err := e.openStream(secret)
				if err != nil {
					failed.Store(&err)
					return
				}
				all[i] = s
			}
		})
	}
	opening.Wait()
	if err := failed.Load(); err != nil {
		closeAll(all)
		return nil, *err
	}
	return all, ctx.Err()
}

func closeAll(all []*rawStream) {
	for _, s := range all {
		if s != nil {
			s.conn.Close()
		}
	}
}

// readAll reads all streams until they end, each in a goroutine; ended is called for each.
func readAll(all []*rawStream, ended func()) *sync.WaitGroup {
	var reading sync.WaitGroup
	for _, s := range all {
		reading.Go(func() {
			for {
				_ = s.conn.SetDeadline(time.Now().Add(streamSilence)) // as above
				if s.event() != nil {
					ended()
					return
				}
			}
		})
	}
	return &reading
}
