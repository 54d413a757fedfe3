package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// publicResponse is the response of a public route. When it begins and the body has
// been read, the slot is released.
type publicResponse struct {
	*response
	slot  *publicSlot
	begun bool
}

func (s *publicResponse) begin() {
	if !s.begun {
		s.begun = true
		s.slot.answerBegins()
	}
}

// WriteHeader implements [http.ResponseWriter].
func (s *publicResponse) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		s.begin()
	}
	s.response.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (s *publicResponse) Write(p []byte) (int, error) {
	s.begin()
	return s.response.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (s *publicResponse) ReadFrom(r io.Reader) (int64, error) {
	s.begin()
	return s.response.ReadFrom(r)
}

// FlushError implements what [http.ResponseController] looks for.
func (s *publicResponse) FlushError() error {
	s.begin()
	return s.response.FlushError()
}

// Hijack implements [http.Hijacker].
func (s *publicResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s.begin()
	return s.response.Hijack()
}
