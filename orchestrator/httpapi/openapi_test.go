package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestTheDocumentIsTheGoldenFile shows every change of the contract in review.
func TestTheDocumentIsTheGoldenFile(t *testing.T) {
	const file = "testdata/openapi.json"
	w := httptest.NewRecorder()
	New(Options{Version: "golden"}).base.Document(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var got bytes.Buffer
	if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("run go test -update if this is meant (-want +got):\n%s", diff)
	}
}
