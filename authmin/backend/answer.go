package backend

import (
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/llorch/gateway/authmin"
)

// answerTimeout bounds how long a caller may take to read an answer that comes
// in one piece: 16 MiB, the most a task brings back, at 2 Mbit/s. A stream gives
// each event its own time.
const answerTimeout = time.Minute

// answer is a response that has begun or not, and has to be read in time.
type answer struct {
	http.ResponseWriter
	begun bool
}

// Unwrap is for http.ResponseController.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answer) begin() {
	if !w.begun {
		w.begun = true
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerTimeout))
	}
}

// WriteHeader begins the answer.
func (w *answer) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer too.
func (w *answer) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// recover turns a defect of ours into a 500 and a log line. Nothing of the
// request is logged but its route. An answer that has begun is broken off: with a
// proper end it would look whole.
func (a *API) recover(w *answer, r *http.Request) {
	if v := recover(); v != nil {
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		a.o.Log.Error("handler panicked", "route", r.Pattern, "panic", v, "stack", string(debug.Stack()), "correlation_id", authmin.CorrelationID(r.Context()))
		if w.begun {
			panic(http.ErrAbortHandler)
		}
		a.WriteProblem(w, r, Internal())
	}
}
