//go:build browser

package bypass_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"testing"
)

// An auditRecord is what the gateway decided about one request.
type auditRecord struct {
	Decision, Identity, Reason, Path, Method, Host string
}

// audited are the decisions so far, by path.
func (g *gateway) audited(t *testing.T) map[string][]auditRecord {
	t.Helper()
	f, err := os.Open(g.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]auditRecord{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r auditRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the last line, in the middle of being written
		}
		all[r.Path] = append(all[r.Path], r)
	}
	return all
}

// requests are those for a path so far.
func (rec *recorder) requests(path string) []*http.Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.seen[path]
}
