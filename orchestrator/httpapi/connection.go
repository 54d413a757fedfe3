package httpapi

import (
	"net/http"
	"time"
)

// answerTimeout bounds how long a caller may take to read an answer that comes
// in one piece: 16 MiB, the most a task brings back, at 2 Mbit/s. A stream gives
// each event its own time.
const answerTimeout = time.Minute

// answering is a response that has begun or not, and has to be read in time.
type answering struct {
	http.ResponseWriter
	begun bool
}

// Unwrap is for http.ResponseController.
func (w *answering) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answering) begin() {
	if !w.begun {
		w.begun = true
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerTimeout))
	}
}

// WriteHeader begins the answer.
func (w *answering) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer too.
func (w *answering) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}
