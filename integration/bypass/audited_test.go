//go:build browser

package bypass_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// An auditRecord is what the gateway decided about one request.
type auditRecord struct {
	Decision, Identity, Reason, Path, Method, Host string
}

// audited are the decisions so far, by path.
func (g *gateway) audited(t *testing.T) map[string][]auditRecord {
	t.Helper()
	all := map[string][]auditRecord{}
	for _, r := range records[auditRecord](t, g.audit) {
		all[r.Path] = append(all[r.Path], r)
	}
	return all
}

// answered are the statuses of the answers so far, by path.
func (g *gateway) answered(t *testing.T) map[string][]int {
	t.Helper()
	type line struct {
		Status  int
		Request struct{ URI string }
	}
	all := map[string][]int{}
	for _, l := range records[line](t, g.access) {
		path, _, _ := strings.Cut(l.Request.URI, "?")
		all[path] = append(all[path], l.Status)
	}
	return all
}

// records reads the lines of a log of JSON so far.
func records[T any](t *testing.T, path string) (all []T) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r T
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the last line, in the middle of being written
		}
		all = append(all, r)
	}
	return all
}

// requests are those for a path so far.
func (rec *recorder) requests(path string) []*http.Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.seen[path]
}
