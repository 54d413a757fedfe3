package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// errEngine is an error event of an engine that may be retried on another pool.
var errEngine = errors.New("engine error")

// ownErrors have texts of this program alone.
var ownErrors = []error{errEngine, errTooMuch, errWrongOutput, errNotBegun, errNotTheNode, errBodyLost, nodeapi.ErrLineTooLong, context.Canceled, context.DeadlineExceeded}

// forLog is what the log says of a failed dispatch, without the words of an engine or a
// node: they may repeat a prompt or a part of an answer. An error that is not listed here
// may quote them, so its text is not logged.
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
	if slices.ContainsFunc(ownErrors, func(own error) bool { return errors.Is(err, own) }) {
		return err.Error()
	}
	if text := nodeapi.ConnectionText(err); text != "" {
		return text
	}
	return nodeapi.ErrNotHTTP.Error()
}
