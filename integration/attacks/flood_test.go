package attacks_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// mostFlood is what may go into one header section before the gateway has hung
// up: many times its limit of a megabyte.
const mostFlood = 64 << 20

// continuationFlood: a header section without an end ends the connection, and
// the gateway still answers others.
func continuationFlood(t *testing.T) {
	to := startSecureGateway(t)
	certified(t, to)
	conn, err := tls.Dial("tcp", to.pub, clientTLS("h2"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for block.Len() < maxFrame-200 {
		_ = encoder.WriteField(hpack.HeaderField{Name: "x-flood", Value: string(bytes.Repeat([]byte("y"), 100)), Sensitive: true}) // into memory
	}
	framer := http2.NewFramer(conn, nil)
	_, err = io.WriteString(conn, http2.ClientPreface)
	if err == nil {
		err = framer.WriteSettings()
	}
	if err == nil {
		err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()})
	}
	sent := 0
	for ; err == nil && sent < mostFlood; sent += block.Len() {
		err = framer.WriteContinuation(1, false, block.Bytes())
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after %d bytes of one header section the connection is open: %v", sent, err)
	}
	t.Logf("hung up after %d KB", sent>>10)
	responses, _, err := speakHTTP2(t, to.pub, asked(set(":authority", to.pub)))
	if err != nil || len(responses) == 0 || responses[0].status != 200 {
		t.Errorf("another connection: %v, %v, want 200", responses, err)
	}
}

// stalledPreface: a client that sends a part of the HTTP/2 preface and stops is
// disconnected by the same timeout as any other.
func stalledPreface(t *testing.T) {
	s := onLoopback
	s.global = "servers {\ntimeouts {\nread_header 1s\n}\n}"
	s.authmin = "token ci {env.TOKEN} infer"
	address, _ := s.start(t, startEcho(t).address(), "TOKEN="+tokenOK)
	for _, text := range []string{"PRI ", http2.ClientPreface[:20], "GET /v1/models HTT"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begun := time.Now()
		_ = conn.SetReadDeadline(begun.Add(8 * time.Second))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: open after %v, want it closed after a second", text, time.Since(begun))
		}
	}
}
