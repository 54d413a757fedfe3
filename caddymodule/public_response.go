package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/llorch/gateway/authmin"
)

// statusClientClosed is what Caddy's proxy answers when the client went away.
const statusClientClosed = 499

// publicResponse is the answer to a stranger: where it begins, the place is given
// back as soon as the body has been read too.
type publicResponse struct {
	*response
	place   *publicPlace
	request *http.Request
	begun   bool
	refused bool // what the proxy still writes is not for the client
}

func (s *publicResponse) begin() {
	if !s.begun {
		s.begun = true
		s.place.answerBegins()
	}
}

// WriteHeader implements [http.ResponseWriter]. The proxy ends a request whose body
// did not come in time as one that the client gave up; the client is told why.
func (s *publicResponse) WriteHeader(status int) {
	if status == statusClientClosed && !s.begun && s.place.wasLate() {
		s.begin()
		s.refused = true
		if s.request.ProtoMajor == 1 {
			s.Header().Set("Connection", "close")
		}
		ctx := authmin.WithCorrelationID(s.request.Context(), s.id)
		authmin.WriteProblem(s.response, s.request.WithContext(ctx), problemPublicLate)
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
