package authmin

import (
	"context"
	"math/rand/v2"
	"net/http"
)

// HeaderCorrelationID ties the log lines and answers of one request together.
const HeaderCorrelationID = "X-Correlation-Id"

// maxCorrelationID bounds an id that a client sends, in bytes.
const maxCorrelationID = 64

type correlationKey struct{}

// EnsureCorrelationID returns the request's id: the client's if it is
// [A-Za-z0-9-]{1,64}, else a new one of 128 random bits. It is not a secret and no
// decision depends on it; it only has to be unique.
func EnsureCorrelationID(h http.Header) string {
	if sent := h[HeaderCorrelationID]; len(sent) == 1 && isCorrelationID(sent[0]) {
		return sent[0]
	}
	return NewCorrelationID()
}

// NewCorrelationID writes two numbers in the alphabet of RFC 4648 §6. Every
// request has an id, and the generator of this package, ChaCha8 seeded by the
// system, costs a tenth of crypto/rand.
func NewCorrelationID() string {
	const alphabet, digits, bits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 13, 5 // 13 digits hold 64 bits
	var id [2 * digits]byte
	for i := range 2 {
		n := rand.Uint64()
		for j := range digits {
			id[i*digits+j] = alphabet[n%uint64(len(alphabet))]
			n >>= bits
		}
	}
	return string(id[:])
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
