package jsonbody

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// member scans {"m": value}.
func member(t *testing.T, value string) Member {
	t.Helper()
	s := New(Options{Watch: []string{"m"}})
	if _, err := s.Write([]byte(`{"m":` + value + `}`)); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	m, ok := s.Member("m")
	if !ok {
		t.Fatalf("%s: no member", value)
	}
	return m
}

func TestInt(t *testing.T) {
	for value, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0": 0, "0e999999999999999999999": 0, "-0.000e-5": 0, "7": 7, "-7": -7, "10": 10, "10.0": 10, "1e1": 10, "1E+1": 10,
		"100e-1": 10, "1.50e1": 15, "0.001e4": 10, "12.5e1": 125, "-12.5e1": -125, "1e18": 1e18,
		"9223372036854775807": math.MaxInt64, "9223372036854775808": math.MaxInt64, "-9223372036854775808": math.MinInt64, "-9223372036854775809": math.MinInt64,
		"9223372036854775807.0": math.MaxInt64, "9223372036854775806": math.MaxInt64 - 1, "-9223372036854775807": math.MinInt64 + 1,
		"18446744073709551617": math.MaxInt64, "1e19": math.MaxInt64, "-1e19": math.MinInt64, "1e400": math.MaxInt64, "-1e99999999999999999999": math.MinInt64,
		"1" + strings.Repeat("0", 4000): math.MaxInt64, "1" + strings.Repeat("0", 4000) + "e-4000": 1, "0." + strings.Repeat("0", 4000) + "1e4001": 1,
	} {
		if got, ok := member(t, value).Int(); got != want || !ok {
			t.Errorf("%.50s = %d, %v, want %d", value, got, ok, want)
		}
	}
	for _, value := range []string{"1.5", "-0.1", "1e-1", "1e-999999999999999999999", "9223372036854775807.5", `"1"`, "true", "null", "[1]", "{}", "1" + strings.Repeat("0", maxRaw)} {
		if got, ok := member(t, value).Int(); ok || got != 0 {
			t.Errorf("%.50s = %d, want no integer", value, got)
		}
	}
}

func TestText(t *testing.T) {
	for value, want := range map[string]string{
		`""`: "", `"a b"`: "a b", `"\u0061\n\"ä\ud83d\ude00"`: "a\n\"ä😀", `"\/"`: "/",
	} {
		if got, ok := member(t, value).Text(); got != want || !ok {
			t.Errorf("%s = %q, %v, want %q", value, got, ok, want)
		}
	}
	for _, value := range []string{"1", "null", "true", `["a"]`, `{"a":"b"}`, `"` + strings.Repeat("x", maxRaw) + `"`} {
		if got, ok := member(t, value).Text(); ok || got != "" {
			t.Errorf("%.50s = %q, want no text", value, got)
		}
	}
	if _, ok := (Member{}).Text(); ok {
		t.Error("no member has a text")
	}
}

func TestBool(t *testing.T) {
	for value, want := range map[string][2]bool{"true": {true, true}, "false": {false, true}, "null": {}, "1": {}, `"true"`: {}} {
		got, ok := member(t, value).Bool()
		if [2]bool{got, ok} != want {
			t.Errorf("%s = %v, %v, want %v", value, got, ok, want)
		}
	}
}

// TestSafe writes byte after byte and compares with the spans of the members.
func TestSafe(t *testing.T) {
	document := `{"a":"x", "model":"gpt" ,"n":12, "usage":{"total":[1,2]},"stream_options":{"b":1,"include_usage":true}}`
	s := New(Options{Watch: watched})
	var safe []int64
	for i := range len(document) {
		if _, err := s.Write([]byte{document[i]}); err != nil {
			t.Fatal(err)
		}
		safe = append(safe, s.Safe())
	}
	for i, got := range safe {
		want := int64(i + 1)
		for _, path := range watched {
			// A number has not ended until the byte after it.
			if m, ok := s.Member(path); ok && m.Start <= int64(i) && (int64(i) < m.End-1 || int64(i) == m.End-1 && m.Kind == Number) {
				want = min(want, m.Start)
			}
		}
		if got != want {
			t.Errorf("after %q: Safe = %d, want %d", document[:i+1], got, want)
		}
	}
	s.Reset()
	if s.Safe() != 0 {
		t.Errorf("Safe = %d after Reset", s.Safe())
	}
}

func TestSafeStaysAtAnError(t *testing.T) {
	s := New(Options{Watch: watched})
	_, _ = s.Write([]byte(`{"a":`))
	if _, err := s.Write([]byte(`1,}`)); err == nil || s.Safe() != 5 {
		t.Errorf("Safe = %d after %v, want 5", s.Safe(), err)
	}
}

// TestMemberOnlyWhenRead wants no member before the end of its value.
func TestMemberOnlyWhenRead(t *testing.T) {
	s := New(Options{Watch: []string{"stream_options.include_usage", "n"}})
	_, _ = s.Write([]byte(`{"stream_options":{},"n":12`))
	if m, ok := s.Member("n"); ok {
		t.Errorf("n = %s before its end", m.Raw)
	}
	_, _ = s.Write([]byte(`3}`))
	if m, ok := s.Member("n"); !ok || string(m.Raw) != "123" {
		t.Errorf("n = %s, %v, want 123", m.Raw, ok)
	}
	for _, path := range []string{"stream_options", "stream_options.include_usage", "x", "N", ""} {
		if _, ok := s.Member(path); ok {
			t.Errorf("%q is a member", path)
		}
	}
}

func TestReset(t *testing.T) {
	s := New(Options{Watch: watched})
	for _, document := range []string{`{"model":"a","n":1}`, `{"n":[[[`, `{"n":"\ud800`, `{"n":"` + strings.Repeat("x", maxRaw), `]`, "{\"n\":\"\xe4"} {
		_, _ = s.Write([]byte(document))
		s.Reset()
		if _, err := s.Write([]byte(`{"model":"b"}`)); err != nil || s.Close() != nil {
			t.Errorf("after %.20q: %v", document, err)
		}
		if _, ok := s.Member("n"); ok {
			t.Errorf("after %.20q: n of the document before", document)
		}
		if m, ok := s.Member("model"); !ok || string(m.Raw) != `"b"` || m.Start != 9 || s.Safe() != 13 {
			t.Errorf("after %.20q: model = %+v, Safe = %d", document, m, s.Safe())
		}
		s.Reset()
	}
}

// TestResetBeforeAValue begins anew where a watched value is awaited, with a name
// too long to be looked up.
func TestResetBeforeAValue(t *testing.T) {
	s := New(Options{Watch: []string{"n"}})
	_, _ = s.Write([]byte(`{"n":`))
	s.Reset()
	if _, err := s.Write([]byte(`{"\u006enothing":1}`)); err != nil {
		t.Fatal(err)
	}
	if m, ok := s.Member("n"); ok {
		t.Errorf("n = %s, the value of another member", m.Raw)
	}
}

// TestCounted counts strings by their member's name, however the document is cut.
func TestCounted(t *testing.T) {
	for document, want := range map[string]int{
		`{"text":"a","x":{"text":"b"},"y":[{"text":"c"},[{"text":"d"}]]}`:                                    4,
		`{"text":"","x":"text","Text":"a","texts":"a","tex":"a","text\u0000x":1}`:                            0,
		`{"text":["a","b"],"x":["text","a"],"y":[{"text":{"a":"b"}},"c"],"text2":"a"}`:                       0,
		`{"te\u0078t":"\u00e4","text":1,"x":{"text":null},"y":{"text":"` + strings.Repeat("x", 1000) + `"}}`: 2,
	} {
		for size := 1; size <= len(document); size++ {
			s := New(Options{Count: []string{"text", "other"}})
			for part := range slices.Chunk([]byte(document), size) {
				_, _ = s.Write(part)
			}
			if start, end := s.LastCounted(); want > 0 && (document[start-1] != '"' || document[end] != '"' || start >= end) {
				t.Errorf("%.80s in pieces of %d: the last is %d to %d", document, size, start, end)
			}
			if err := s.Close(); (err != nil) != strings.Contains(document, "0000") || s.Counted() != want && err == nil {
				t.Errorf("%.80s in pieces of %d: counted %d, want %d (%v)", document, size, s.Counted(), want, err)
			}
			if s.Reset(); s.Counted() != 0 || s.Copy().count == nil {
				t.Error("counted before the start, or a copy without names")
			}
		}
	}
}

// TestMaxValue keeps what Options say, and of a copy as well.
func TestMaxValue(t *testing.T) {
	for _, s := range []*Scanner{New(Options{Watch: []string{"m"}, MaxValue: 4}), New(Options{Watch: []string{"m"}, MaxValue: 4}).Copy()} {
		for document, truncated := range map[string]bool{`{"m":1234}`: false, `{"m":12345}`: true} {
			_, _ = s.Write([]byte(document))
			for path, m := range s.Members() {
				if path != "m" || m.Truncated != truncated {
					t.Errorf("%s: %s, truncated %v", document, path, m.Truncated)
				}
			}
			s.Reset()
		}
	}
}

func TestElementsOfAnArray(t *testing.T) {
	for value, want := range map[string][Null + 1]int64{
		"[]":                                    {},
		`[1, -2e3,"a" ]`:                        {Number: 2, String: 1},
		`[[1,2],[[3]],{"a":[4,5]},true,null]`:   {Array: 2, Object: 1, True: 1, Null: 1},
		`{"a":[1,2]}`:                           {},
		`"[1,2]"`:                               {},
		"[1" + strings.Repeat(",1", 9999) + "]": {Number: 10000}, // more than is kept
	} {
		m := member(t, value)
		if m.Elements != want {
			t.Errorf("%.50s: got %v, want %v", value, m.Elements, want)
		}
		sum := int64(0)
		for _, n := range want {
			sum += n
		}
		if m.Len() != sum {
			t.Errorf("%.50s: got %d elements, want %d", value, m.Len(), sum)
		}
	}
}
