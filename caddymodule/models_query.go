package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
)

// queriesOf returns the query as the client sent it, and as an upstream gets it if a
// rewrite before the guard changed it.
func queriesOf(r *http.Request, s *requestState) []string {
	_, sent, _ := strings.Cut(s.target, "?")
	if r.URL == nil || r.URL.RawQuery == sent {
		return []string{sent}
	}
	return []string{sent, r.URL.RawQuery}
}

// addQuery adds the values of the query to those of the body: each parameter at most once,
// in its own spelling, and equal to the member of that name.
func addQuery(named []namedModel, queries []string) *authmin.Problem {
	for _, query := range queries {
		if strings.Contains(query, ";") { // some servers split at it
			return ambiguousModel("the query has a semicolon")
		}
		seen := make(map[string]bool, len(named))
		for pair := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(pair, "=")
			key, keyErr := url.QueryUnescape(key)
			value, valueErr := url.QueryUnescape(value)
			if keyErr != nil || valueErr != nil {
				return ambiguousModel("the query has an invalid escape")
			}
			i := memberOf(named, key)
			if i < 0 {
				continue
			}
			if key != named[i].member || seen[key] || value == "" || named[i].value != "" && named[i].value != value {
				return ambiguousModel("the query names it again, otherwise, or with nothing")
			}
			seen[key], named[i].value = true, value
		}
	}
	return nil
}

// memberOf returns the index of the member that a server may take a parameter for. Some
// ignore case, cut a name at a bracket or at NUL, or trim it.
func memberOf(named []namedModel, key string) int {
	if cut := strings.IndexAny(key, "[\x00"); cut > 0 {
		key = key[:cut]
	}
	key = strings.TrimFunc(key, func(c rune) bool { return c <= ' ' })
	for i := range named {
		if named[i].member != "" && jsonbody.Folds(key, named[i].member) {
			return i
		}
	}
	return -1
}
