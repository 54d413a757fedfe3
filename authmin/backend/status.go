package backend

import "net/http"

// StatusWriter notes the status of an answer, for a trace or a log.
type StatusWriter struct {
	http.ResponseWriter
	Status int // set it to 200, which an answer has that names none
	noted  bool
}

// WriteHeader notes the first status that is not an interim one.
func (w *StatusWriter) WriteHeader(status int) {
	if !w.noted && status >= http.StatusOK {
		w.Status, w.noted = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *StatusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
