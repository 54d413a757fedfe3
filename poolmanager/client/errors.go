package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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
		RetryAfter: ParseRetryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
}

// ParseRetryAfter reads both forms of RFC 9110 §10.2.3, seconds and a date. A value
// that is neither, negative or past is 0; a longer one than MaxRetryAfter is that.
func ParseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if most := int64(MaxRetryAfter / time.Second); err != nil || seconds > most { // over 2^63 as well
			return MaxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), MaxRetryAfter)
	}
	return 0
}
