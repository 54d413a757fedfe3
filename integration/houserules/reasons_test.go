package houserules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// TestArchitectureListsEveryReason: the table of ARCHITECTURE.md says of each reason
// for a refusal when it is given.
func TestArchitectureListsEveryReason(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range authmin.Reasons() {
		row := regexp.MustCompile("(?m)^\\|.*\\| `" + regexp.QuoteMeta(string(reason)) + "` \\|.*`[A-Z_]+` \\|$")
		if !row.Match(text) {
			t.Errorf("no row of a table has the reason %s and its problem", reason)
		}
	}
}
