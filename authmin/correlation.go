package authmin

import (
	"context"
	"crypto/rand"
	"net/http"
)

// HeaderCorrelationID ties the log lines and answers of one request together.
const HeaderCorrelationID = "X-Correlation-Id"

// maxCorrelationID bounds an id that a client sends, in bytes.
const maxCorrelationID = 64

type correlationKey struct{}

// EnsureCorrelationID returns the request's id: the client's if it is
// [A-Za-z0-9-]{1,64}, else a new one of 130 random bits.
func EnsureCorrelationID(h http.Header) string {
	if sent := h[HeaderCorrelationID]; len(sent) == 1 && isCorrelationID(sent[0]) {
		return sent[0]
	}
	return rand.Text()
}

// WithCorrelationID puts an id into a context.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID returns the id of a context, "" if there is none.
func CorrelationID(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

func isCorrelationID(text string) bool {
	if text == "" || len(text) > maxCorrelationID {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
