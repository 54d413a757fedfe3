// Package accepted sends credentials, takes them off, and lets authmin parse.
package accepted

import (
	"net/http"

	"github.com/llorch/gateway/authmin"
)

func send(h http.Header, token string) {
	h.Set("Authorization", "Bearer "+token)
	h["Authorization"] = []string{"Bearer " + token}
	h.Del("Authorization")
	delete(h, "Authorization")
}

func parse(r *http.Request) (authmin.Digest, authmin.Presented) {
	if r.Header.Get("X-Correlation-Id") == "" {
		return authmin.ParseBearer(r.Header.Values("Authorization"))
	}
	return authmin.ParseBearer(r.Header["Authorization"])
}
