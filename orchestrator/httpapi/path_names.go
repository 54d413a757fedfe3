package httpapi

import (
	"net/http"
	"net/url"
	"strings"
)

// withNames lets the names in a path have their slashes: they become one segment with
// encoded slashes, which is what {id} takes.
func withNames(r *http.Request) *http.Request {
	if model, ok := strings.CutPrefix(r.URL.Path, modelsPath); ok && strings.Contains(model, "/") {
		return withRawPath(r, modelsPath+url.PathEscape(model))
	}
	return withPoolName(r)
}

// modelsPath is where a route names a model, which may have slashes.
const modelsPath = "/v1/models/"

// withRawPath gives the request with another spelling of its path.
func withRawPath(r *http.Request, path string) *http.Request {
	named, u := *r, *r.URL
	u.RawPath = path
	named.URL = &u
	return &named
}

// poolPaths are where routes name a pool by one path segment {id}.
var poolPaths = []string{"/v2/pools/", "/control/pools/"}

// withPoolName lets a pool's full name node_id/pool_id stand in a path as it is: the
// two segments become one with an encoded slash, which is what {id} takes.
func withPoolName(r *http.Request) *http.Request {
	for _, prefix := range poolPaths {
		rest, ok := strings.CutPrefix(r.URL.Path, prefix)
		parts := strings.Split(rest, "/")
		if !ok || len(parts) != 3 {
			continue
		}
		return withRawPath(r, prefix+url.PathEscape(parts[0]+"/"+parts[1])+"/"+url.PathEscape(parts[2]))
	}
	return r
}
