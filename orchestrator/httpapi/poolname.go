package httpapi

import (
	"net/http"
	"net/url"
	"strings"
)

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
		named, u := *r, *r.URL
		u.RawPath = prefix + url.PathEscape(parts[0]+"/"+parts[1]) + "/" + url.PathEscape(parts[2])
		named.URL = &u
		return &named
	}
	return r
}
