package testkit

import (
	"io"
	"net"
	"testing"
)

// RawAnswer is the address of a server that answers each connection with these bytes, which
// need not be HTTP, until the test ends.
func RawAnswer(t testing.TB, answer string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return ln.Addr().String()
}
