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
func readCorpus(t testing.TB) []testCase { t.Helper(); return readCases(t, corpusFile) }

// The corpus, and what has been added to it since: cases of the same classes
// that it does not show.
const (
	corpusFile = "testdata/cases.json"
	moreFile   = "testdata/more.json"
)

func readCases(t testing.TB, file string) []testCase {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	return cases
}

func rawCases(t testing.TB, files ...string) []testCase {
	t.Helper()
	var all, raw []testCase
	for _, file := range files {
		all = append(all, readCases(t, file)...)
	}
	for _, c := range all {
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
	want := map[string]struct{ all, raw int }{corpusFile: {274, 162}, moreFile: {404, 404}}
	for file, want := range want {
		if got := len(readCases(t, file)); got != want.all {
			t.Errorf("%s: %d cases, want %d", file, got, want.all)
		}
		if got := len(rawCases(t, file)); got != want.raw {
			t.Errorf("%s: %d raw cases, want %d", file, got, want.raw)
		}
		isUnderstood(t, file)
	}
	seen := map[string]bool{}
	for _, c := range append(readCases(t, corpusFile), readCases(t, moreFile)...) {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
	}
}

func isUnderstood(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
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
				t.Errorf("%s expects %q, which the runner does not check", e.ID, key)
			}
		}
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
