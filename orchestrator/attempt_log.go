package orchestrator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// forLog is what the log says of a failed dispatch, without the words of an engine or a
// node: they may repeat a prompt or a part of an answer. net/http quotes an answer that is
// not HTTP. Other errors are ours, or those of the connection.
func forLog(err error) string {
	if refused, ok := errors.AsType[*nodeapi.StatusError](err); ok {
		return strings.TrimSpace(fmt.Sprintf("the pool manager answered %d %s", refused.Status, code(refused.Code, "")))
	}
	if _, ok := errors.AsType[*busyEngine](err); ok {
		return "the engine is busy"
	}
	_, page := errors.AsType[*nodeapi.ForeignError](err)
	if page || errors.Is(err, nodeapi.ErrForeign) {
		return "the answer is not one of a pool manager"
	}
	if failed, ok := errors.AsType[*url.Error](err); ok && !ofConnection(failed.Err) {
		return "the connection failed, or the answer is not HTTP"
	}
	return err.Error()
}

// ofConnection reports whether an error of a request has no words of the peer.
func ofConnection(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) || errors.Is(err, errBodyLost) {
		return true
	}
	_, network := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return network || untrusted || alert
}
