package nodeapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
)

// ConnectionText gives the text of an error of a connection for a log. It is empty for an
// error that is not the connection's: net/http quotes what the peer sent when that is not
// HTTP, which may be a part of a prompt or of an answer.
func ConnectionText(err error) string {
	prefix := ""
	if failed, ok := errors.AsType[*url.Error](err); ok {
		prefix, err = failed.Op+" "+failed.URL+": ", failed.Err
	}
	if own := connectionError(err); own != nil {
		return prefix + own.Error()
	}
	return ""
}

// ErrNotHTTP is an answer that net/http could not read.
var ErrNotHTTP = errors.New("the connection failed, or the answer is not HTTP")

// Loggable gives an error of a request unchanged if [ConnectionText] has a text for it,
// and ErrNotHTTP otherwise.
func Loggable(err error) error {
	if ConnectionText(err) == "" && !errors.Is(err, context.Canceled) {
		return ErrNotHTTP
	}
	return err
}

// connectionError finds the part of an error that has no words of the peer.
func connectionError(err error) error {
	if network, ok := errors.AsType[net.Error](err); ok {
		return network
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return untrusted
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return alert
	}
	if broken, ok := errors.AsType[*brokenError](err); ok {
		return broken
	}
	for _, ended := range []error{io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, ended) {
			return ended
		}
	}
	return nil
}

// brokenError is a stream that stopped before its end. It is io.ErrUnexpectedEOF.
type brokenError struct{ of, why string }

// Error says which stream it was, and why it stopped.
func (e *brokenError) Error() string {
	return "reading the " + e.of + "'s stream: " + io.ErrUnexpectedEOF.Error() + " (" + e.why + ")"
}

// Unwrap gives io.ErrUnexpectedEOF.
func (e *brokenError) Unwrap() error { return io.ErrUnexpectedEOF }

// broken is the error of a stream that stopped before its end event or end frame.
func broken(of, end string, err error) error {
	switch own := connectionError(err); {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &brokenError{of, "no end " + end}
	case own != nil:
		return &brokenError{of, own.Error()}
	}
	return &brokenError{of, "the answer is not HTTP"}
}
