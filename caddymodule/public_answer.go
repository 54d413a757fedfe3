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

// publicAnswer is the answer to a stranger: where it begins, the place is given
// back as soon as the body has been read too.
type publicAnswer struct {
	*answer
	place   *publicPlace
	request *http.Request
	begun   bool
	refused bool // what the proxy still writes is not for the client
}

func (a *publicAnswer) begin() {
	if !a.begun {
		a.begun = true
		a.place.answerBegins()
	}
}

// WriteHeader implements [http.ResponseWriter]. The proxy ends a request whose body
// did not come in time as one that the client gave up; the client is told why.
func (a *publicAnswer) WriteHeader(status int) {
	if status == statusClientClosed && !a.begun && a.place.wasLate() {
		a.begin()
		a.refused = true
		if a.request.ProtoMajor == 1 {
			a.Header().Set("Connection", "close")
		}
		ctx := authmin.WithCorrelationID(a.request.Context(), a.id)
		authmin.WriteProblem(a.answer, a.request.WithContext(ctx), problemPublicLate)
		return
	}
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begin()
	}
	a.answer.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *publicAnswer) Write(p []byte) (int, error) {
	a.begin()
	if a.refused {
		return len(p), nil
	}
	return a.answer.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (a *publicAnswer) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	return a.answer.ReadFrom(r)
}

// FlushError implements what [http.ResponseController] looks for.
func (a *publicAnswer) FlushError() error {
	a.begin()
	return a.answer.FlushError()
}

// Hijack implements [http.Hijacker].
func (a *publicAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begin()
	return a.answer.Hijack()
}
