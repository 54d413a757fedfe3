package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestFallbacksAreCheckedWhenAModelIsEntered(t *testing.T) {
	s := falling(t, `["small","tiny"]`)
	s.offers("org/model", echo(1), nil)
	entry := func(status int, fallback string) map[string]any {
		t.Helper()
		return s.catalog(status, "POST", "/models", `{"id":"m","aliases":["n"],"digest":"`+digest("m")+`","source_url":"file:m","fallback":`+fallback+`}`)
	}
	nine := `["a` + strings.Repeat(`","a`, 8) + `"]`
	for fallback, hint := range map[string]string{
		`["m"]`: "itself", `["n"]`: "itself", `["small","small"]`: "twice", nine: "",
		`["unknown"]`: "neither the catalog nor a node has", `["catalog:small"]`: "begins with", `["file:s"]`: "begins with",
		`[""]`: "1 to 256", `["a\n"]`: "1 to 256", `["ä"]`: "1 to 256", `["` + strings.Repeat("a", 257) + `"]`: "1 to 256", `"small"`: "",
	} {
		if got := entry(422, fallback); hint != "" && (got["code"] != "INVALID_MODEL" || !strings.Contains(fmt.Sprint(got["detail"], got["hint"]), hint)) {
			t.Errorf("fallback %s: got %v, want %q in it", fallback, got, hint)
		}
	}
	const want = "[little org/model tiny:latest]"
	for _, got := range []map[string]any{
		entry(201, `["little","org/model","tiny:latest"]`),
		s.catalog(200, "GET", "/models/m", nil),
		s.catalog(200, "GET", "/models?limit=1&cursor=big", nil)["models"].([]any)[0].(map[string]any),
	} {
		if fmt.Sprint(got["fallback"]) != want {
			t.Errorf("the entry: got %v, want %s", got, want)
		}
	}
}
