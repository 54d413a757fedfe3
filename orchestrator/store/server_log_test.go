package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestFailedHandshakesCannotFillTheLog(t *testing.T) {
	var out bytes.Buffer
	l := newNATSLog(slog.New(slog.NewTextHandler(&out, nil)), make(chan struct{}, 1))
	for i := range 1000 {
		l.Errorf(fmt.Sprintf("203.0.113.9:%d - rid:%d - TLS route handshake error: %%v", i, i), strings.Repeat("x", 1<<20))
	}
	l.Errorf("something else")
	if n := strings.Count(out.String(), "handshake error"); n != logBurst || out.Len() > logBurst*(maxLogLine+256) {
		t.Errorf("%d lines, %d bytes, want %d lines", n, out.Len(), logBurst)
	}
	if !strings.Contains(out.String(), "something else") || !strings.Contains(out.String(), "more_of_these") {
		t.Errorf("got %.500s", out.String())
	}
}
