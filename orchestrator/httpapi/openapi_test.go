package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// TestTheDocumentIsTheGoldenFile shows every change of the contract in review.
func TestTheDocumentIsTheGoldenFile(t *testing.T) {
	w := httptest.NewRecorder()
	New(Options{Version: "golden"}).base.Document(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var got bytes.Buffer
	if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	testkit.Golden(t, "testdata/openapi.json", got.Bytes())
}
