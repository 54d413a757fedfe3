package caddymodule

import "github.com/llorch/gateway/authmin"

func init() {
	faultChecks = append(faultChecks, foreignCORS)
}

// foreignCORS finds handlers that say which pages may read answers, on a server where a
// guard's `cors` does. What stands behind the guard is removed; what stands before it
// reaches the pages of every origin.
func foreignCORS(in *inspection) (faults []Fault) {
	decides := map[string]bool{}
	for _, h := range in.handlers {
		if h.name == AppName && len(textsOf(h.doc["cors"])) > 0 {
			decides[h.server] = true
		}
	}
	for _, h := range in.handlers {
		if !decides[h.server] {
			continue
		}
		for _, w := range h.writes() {
			if w.response && !w.deletes && isOfBrowsers(w.name) {
				faults = append(faults, faultf(warning, h.server,
					"%s writes %s, and `cors` of a guard on this server says which pages may read answers; remove it, and name the origin in cors", h.directive(), authmin.CleanField(w.name, authmin.MaxLoggedHost)))
			}
		}
	}
	return faults
}
