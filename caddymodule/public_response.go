package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/llorch/gateway/authmin"
)

// statusClientClosed is the status of Caddy's proxy for a client that disconnected.
const statusClientClosed = 499

// publicResponse is the response of a public route. When it begins and the body has
// been read, the slot is released.
type publicResponse struct {
	*response
	slot    *publicSlot
	request *http.Request
	begun   bool
	refused bool // the guard has answered; the proxy's answer is discarded
}

func (s *publicResponse) begin() {
	if !s.begun {
		s.begun = true
		s.slot.answerBegins()
	}
}

// WriteHeader implements [http.ResponseWriter]. For a body that did not arrive in time the
// proxy answers as for a client that disconnected; the client gets a 408 instead.
func (s *publicResponse) WriteHeader(status int) {
	if status == statusClientClosed && !s.begun && s.slot.wasLate() {
		s.begin()
		s.refused = true
		if s.request.ProtoMajor == 1 {
			s.Header().Set("Connection", "close")
		}
		ctx := authmin.WithCorrelationID(s.request.Context(), s.id)
		authmin.WriteProblemAs(s.response, s.request.WithContext(ctx), problemPublicLate, s.dialect)
		return
	}
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		s.begin()
	}
	s.response.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (s *publicResponse) Write(p []byte) (int, error) {
	s.begin()
	if s.refused {
		return len(p), nil
	}
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
