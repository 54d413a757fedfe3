package nodeapi

import (
	"cmp"
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

	Server string // which program answered; empty means the pool manager
}

// Error says the status, the code and the hint.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("the %s answered %d", cmp.Or(e.Server, "pool manager"), e.Status)
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

// maxForeignBytes is how much is kept of an answer that is not an event stream.
const maxForeignBytes = 512

// ForeignError is an answer 200 to a dispatch that is not an event stream. It comes from a
// proxy, or from a server other than a pool manager.
type ForeignError struct {
	ContentType string
	Text        string // how it begins
}

// Error gives the content type and how the answer begins.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("the pool manager's answer is %q, not an event stream: %s", e.ContentType, e.Text)
}

func foreignAnswer(response *http.Response) *ForeignError {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxForeignBytes))
	if err != nil {
		text = nil
	}
	return &ForeignError{ContentType: response.Header.Get("Content-Type"), Text: strings.ToValidUTF8(strings.TrimSpace(string(text)), "")}
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

// BoundRetryAfter gives an engine's Retry-After as its client may have it: a value
// above MaxRetryAfter becomes MaxRetryAfter. ok is false if the value has neither form of
// RFC 9110.
func BoundRetryAfter(value string, now time.Time) (_ string, ok bool) {
	value = strings.TrimSpace(value)
	if value == "" || strings.Trim(value, "0123456789") != "" {
		if _, err := http.ParseTime(value); err != nil {
			return "", false
		}
	}
	if ParseRetryAfter(value, now) >= MaxRetryAfter {
		value = strconv.FormatInt(int64(MaxRetryAfter/time.Second), 10)
	}
	return value, true
}
