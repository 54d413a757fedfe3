package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxProblemBytes bounds how much of an error's body is read.
const maxProblemBytes = 64 << 10

// StatusError is any answer that is not 2xx, redirects included. Code and Hint
// come from the problem document and are empty when there was none.
type StatusError struct {
	Status     int
	Code       string
	Hint       string
	RetryAfter time.Duration
}

// Error says the status, the code and the hint.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("the pool manager answered %d", e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

func statusError(response *http.Response) *StatusError {
	problem := struct {
		Code string `json:"code"`
		Hint string `json:"hint"`
	}{}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes))
	if err == nil {
		// A body that is no problem document leaves both fields empty.
		_ = json.Unmarshal(body, &problem)
	}
	return &StatusError{
		Status:     response.StatusCode,
		Code:       problem.Code,
		Hint:       problem.Hint,
		RetryAfter: retryAfter(response.Header.Get("Retry-After")),
	}
}

// retryAfter reads the delay form of RFC 9110 §10.2.3, the only one our
// services send.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
