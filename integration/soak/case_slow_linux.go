package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	slowHeaders  = 1000 // connections that send a header a byte at a time
	slowBodies   = 300  // the same for the body of a valid request
	slowStranger = 300  // and of one without a token
	slowReaders  = 200  // that read a big answer a little at a time
	slowTotal    = 100 * time.Second
	slowDelay    = 2 * time.Second
)

// caseSlow has slow clients of four kinds while valid requests are served. It tells how
// many of each the gateway has disconnected and when, and what they cost.
func caseSlow(ctx context.Context, e *edge) error {
	stays := e.keys.secret("stays").Reveal()
	before := e.resources(ctx)
	stop := e.clients(ctx, 4, 10*time.Millisecond, "valid", func() authmin.Secret { return e.keys.secret("stays") }, true)
	slow, cancel := context.WithTimeout(ctx, slowTotal)
	defer cancel()
	var all sync.WaitGroup
	post := "POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\n"
	for _, kind := range []struct {
		name   string
		number int
		head   string
		read   bool
	}{
		{"slow header", slowHeaders, post + "X-Slow: ", false},
		{"slow body with a token", slowBodies, post + "Content-Length: 100000\r\nAuthorization: Bearer " + stays + "\r\n\r\n", false},
		{"slow body without a token", slowStranger, post + "Content-Length: 100000\r\n\r\n", false},
		{"slow reader", slowReaders, "GET /v1/big HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer " + stays + "\r\n\r\n", true},
	} {
		for range kind.number {
			all.Go(func() { e.slowOne(slow, kind.name, kind.head, kind.read) })
		}
	}
	pause(ctx, slowTotal/4)
	during := e.resources(ctx)
	all.Wait()
	stop()
	e.note = []string{"before: " + before, "during: " + during}
	return ctx.Err()
}

// slowOne is one client, until it is disconnected or ctx ends.
func (e *edge) slowOne(ctx context.Context, name, head string, read bool) {
	conn, err := net.DialTimeout("tcp", e.address, askLimit)
	if err != nil {
		e.breaks(ruleValid, "%s: %v", name, err)
		return
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10) // more is only faster
	begin := time.Now()
	if _, err := io.WriteString(conn, head); err != nil {
		e.add(name + ": disconnected at once")
		return
	}
	some := make([]byte, 512)
	for pause(ctx, slowDelay) {
		if read {
			_ = conn.SetReadDeadline(time.Now().Add(slowDelay)) // a live connection has deadlines
			if _, err = conn.Read(some); errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil // nothing came meanwhile, and the connection is there
			}
		} else {
			_, err = conn.Write([]byte("a"))
		}
		if err != nil {
			e.add(name + ": disconnected by the gateway")
			e.took(fmt.Sprintf("%s, until disconnected", name), time.Since(begin))
			return
		}
	}
	e.add(name + ": still connected")
}
