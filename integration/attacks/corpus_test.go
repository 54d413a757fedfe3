package attacks_test

import (
	"encoding/json"
	"os"
	"testing"
)

// A testCase is one entry of testdata/cases.json: raw bytes with what a
// machine can expect of them, or steps in prose that steps_test.go carries out.
type testCase struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Severity  string   `json:"severity"` // critical, high, medium, low
	Kind      string   `json:"kind"`     // raw, steps, config
	Target    string   `json:"target"`   // the listener: pub or loop
	Raw       string   `json:"raw"`      // latin-1: one code point, one byte
	Responses int      `json:"responses"`
	Expect    expect   `json:"expect"`
	Steps     []string `json:"steps"`
}

// expect is the meaning of fixtures.json's expect_keys. What is absent is not
// looked at.
type expect struct {
	Status        []int     `json:"status"` // of the first final response; 0: closed without one
	NotStatus     []int     `json:"not_status"`
	StatusList    [][]int   `json:"status_list"`     // of all final responses
	StatusListAlt [][][]int `json:"status_list_alt"` // any of these lists

	Upstream        *bool             `json:"upstream"`        // must, or must not, be reached
	SingleUpstream  bool              `json:"single_upstream"` // at most one request
	UpAbsent        []string          `json:"up_absent"`       // headers as the upstream saw them
	UpPresent       []string          `json:"up_present"`
	UpEquals        map[string]string `json:"up_equals"`
	UpTrailerAbsent []string          `json:"up_trailer_absent"`
	UpURIVerbatim   bool              `json:"up_uri_verbatim"`
	UpNoHash        bool              `json:"up_no_hash"`
	BodyLen         *int64            `json:"body_len"`

	RespHeader      map[string]string   `json:"resp_header"` // regular expressions
	RespAbsent      []string            `json:"resp_absent"`
	RespAbsentValue map[string][]string `json:"resp_absent_value"`
	RespNotContains string              `json:"resp_not_contains"`
}

// knownKinds are the listeners that each kind of case is run against.
var knownTargets = map[string]bool{"pub": true, "loop": true}

// readCorpus reads every case, and refuses an expectation that it does not
// know: it would pass unseen.
func readCorpus(t testing.TB) []testCase {
	t.Helper()
	content, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatalf("reading cases.json: %v", err)
	}
	return cases
}

func rawCases(t testing.TB) []testCase {
	t.Helper()
	var raw []testCase
	for _, c := range readCorpus(t) {
		if c.Kind != "raw" {
			continue
		}
		if !knownTargets[c.Target] {
			t.Fatalf("%s: no listener %q", c.ID, c.Target)
		}
		raw = append(raw, c)
	}
	return raw
}

// TestCorpusIsUnderstood fails when a case expects something that this runner
// would not look at, and when a case has gone missing.
func TestCorpusIsUnderstood(t *testing.T) {
	content, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct {
		ID     string                     `json:"id"`
		Expect map[string]json.RawMessage `json:"expect"`
	}
	if err := json.Unmarshal(content, &entries); err != nil {
		t.Fatal(err)
	}
	known := knownKeys(t)
	for _, e := range entries {
		for key := range e.Expect {
			if !known[key] {
				t.Errorf("%s expects %q, which nobody looks at", e.ID, key)
			}
		}
	}
	const all, raw = 274, 162
	if got := len(entries); got != all {
		t.Errorf("%d cases, want %d", got, all)
	}
	if got := len(rawCases(t)); got != raw {
		t.Errorf("%d raw cases, want %d", got, raw)
	}
}

// knownKeys are the keys of expect, taken from a full value of it.
func knownKeys(t *testing.T) map[string]bool {
	t.Helper()
	text, err := json.Marshal(expect{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for key := range fields {
		known[key] = true
	}
	return known
}
