package backend

import (
	"io"
	stdlog "log"
	"log/slog"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// takeStandardLog makes the messages of the standard library's log entries of this one, as
// warnings. net/http writes some there, and quotes what a peer sent after its answer. The
// function that it returns gives the log its output back.
func takeStandardLog(log *slog.Logger) (restore func()) {
	output, flags := stdlog.Writer(), stdlog.Flags()
	stdlog.SetOutput(standardLog{log})
	stdlog.SetFlags(0)
	return func() {
		stdlog.SetOutput(output)
		stdlog.SetFlags(flags)
	}
}

// standardLog is the output of the standard library's log.
type standardLog struct{ to *slog.Logger }

var _ io.Writer = standardLog{}

// Write implements [io.Writer].
func (w standardLog) Write(line []byte) (int, error) {
	w.to.Warn(authmin.RedactPeer(strings.TrimSpace(string(line))))
	return len(line), nil
}
