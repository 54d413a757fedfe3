package jsonbody

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// watched are the paths of most tests.
var watched = []string{"model", "stream", "n", "stream_options.include_usage", "usage", "usage.total", "kind"}

// A result is all that a scan tells.
type result struct {
	Err     string // code, path and offset
	Members map[string]string
	Strings []string
}

// scan writes the document in pieces that end at the cuts, to a Scanner that
// reports strings and to one that does not.
func scan(t *testing.T, o Options, document string, cuts ...int) result {
	t.Helper()
	quiet := scanOnce(t, o, document, cuts)
	var texts []string
	o.String = func(path []string, head string) error {
		texts = append(texts, strings.Join(path, ".")+"="+head)
		return nil
	}
	got := scanOnce(t, o, document, cuts)
	if !reflect.DeepEqual(quiet, got) {
		t.Fatalf("%q cut at %d (-without String +with):\n%s", document, cuts, cmp.Diff(quiet, got))
	}
	got.Strings = texts
	return got
}

func scanOnce(t *testing.T, o Options, document string, cuts []int) result {
	t.Helper()
	got := result{Members: map[string]string{}}
	s := New(o)
	from, err := 0, error(nil)
	for _, cut := range append(slices.Clip(cuts), len(document)) {
		if _, err = s.Write([]byte(document[from:cut])); err != nil {
			break
		}
		if s.Safe() > int64(cut) {
			t.Errorf("%q: Safe = %d of %d bytes", document, s.Safe(), cut)
		}
		from = cut
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		refused, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatalf("%q: error %v is no *Error", document, err)
		}
		got.Err = fmt.Sprint(refused.Code, " ", refused.Path, "@", refused.Offset)
		if _, again := s.Write([]byte(" ")); again != err || s.Close() != err {
			t.Errorf("%q: the error does not stay: %v", document, again)
		}
		return got
	}
	for _, path := range o.Watch {
		if m, ok := s.Member(path); ok {
			got.Members[path] = document[m.Start:m.End]
			if !m.Truncated && string(m.Raw) != document[m.Start:m.End] {
				t.Errorf("%q: %s.Raw = %q, want %q", document, path, m.Raw, document[m.Start:m.End])
			}
			if m.Truncated != (m.End-m.Start > maxRaw) || m.Truncated != (m.Raw == nil) || m.Kind != kindOf(document[m.Start]) {
				t.Errorf("%q: %s = kind %d, truncated %v, %d bytes", document, path, m.Kind, m.Truncated, len(m.Raw))
			}
		}
	}
	return got
}

func TestMembers(t *testing.T) {
	cases := map[string]struct {
		document string
		want     string // path=value, space between
	}{
		"nothing":                  {`{}`, ``},
		"a string":                 {`{"model":"a"}`, `model="a"`},
		"white space is not in it": {" {\t\"model\" :\r\n\"a\" } \n", `model="a"`},
		"a number":                 {`{"n":-1.5e+3}`, `n=-1.5e+3`},
		"words":                    {`{"stream":true,"n":null,"kind":false}`, `kind=false n=null stream=true`},
		"an object":                {`{"usage":{"x":[1]}}`, `usage={"x":[1]}`},
		"an array":                 {`{"usage":[{"total":1}]}`, `usage=[{"total":1}]`},
		"one in another":           {`{"usage":{"total":7}}`, `usage.total=7 usage={"total":7}`},
		"in a parent":              {`{"stream_options":{"include_usage":true}}`, `stream_options.include_usage=true`},
		"beneath a scalar":         {`{"stream_options":"include_usage"}`, ``},
		"beneath an array":         {`{"stream_options":[{"include_usage":true}]}`, ``},
		"deeper":                   {`{"a":{"model":"x","Model":1},"model":"y"}`, `model="y"`},
		"deeper, in an array":      {`{"a":[{"model":"x"}],"model":"y"}`, `model="y"`},
		"after the parent":         {`{"stream_options":{},"include_usage":true}`, ``},
		"a dotted name":            {`{"stream_options.include_usage":1}`, ``},
		"a name in escapes":        {`{"\u006dodel":"a"}`, `model="a"`},
		"a longer name":            {`{"models":1,"mode":2,"model_":3,"model":4}`, `model=4`},
		"a long name":              {`{"` + strings.Repeat("model", 100) + `":1,"model":2}`, `model=2`},
		"the longest that folds":   {`{"model` + strings.Repeat("l", 200) + `":1}`, ``},
		"a long value":             {`{"model":"` + strings.Repeat("x", maxRaw) + `"}`, `model="` + strings.Repeat("x", maxRaw) + `"`},
		"a value of 4 KiB":         {`{"model":"` + strings.Repeat("x", maxRaw-2) + `"}`, `model="` + strings.Repeat("x", maxRaw-2) + `"`},
		"unwatched twice":          {`{"a":1,"a":2,"A":3}`, ``},
		"depth 128":                {`{"a":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`, ``},
		"a pair of surrogates":     {`{"model":"\ud83d\ude00\u0061\ud83d\ude00"}`, `model="\ud83d\ude00\u0061\ud83d\ude00"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := scan(t, Options{Watch: watched}, c.document)
			var members []string
			for path, value := range got.Members {
				members = append(members, path+"="+value)
			}
			slices.Sort(members)
			if text := strings.Join(members, " "); text != c.want || got.Err != "" {
				t.Errorf("members %s, error %q, want %s", text, got.Err, c.want)
			}
			everySplit(t, Options{Watch: watched}, c.document, got)
		})
	}
}

func TestRefused(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`
	for document, want := range map[string]string{
		``: "syntax @0", ` `: "syntax @1", `{`: "syntax @1", `{"a`: "syntax @3", `{"a":1`: "syntax @6", "{\"a\":\"\xe4": "syntax @7",
		"\ufeff{}": "syntax @0", `{}{}`: "syntax @2", `{} x`: "syntax @3", "{}\x00": "syntax @2", "{}\v": "syntax @2",
		`[]`: "not_object @0", ` "a"`: "not_object @1", `1`: "not_object @0", `null`: "not_object @0", `x`: "syntax @0", `}`: "syntax @0",
		`{"a":1,}`: "syntax @7", `{,}`: "syntax @1", `{"a":[1,]}`: "syntax @8", `{"a":[,]}`: "syntax @6", `{"a" 1}`: "syntax @5",
		`{"a":}`: "syntax @5", `{"a"}`: "syntax @4", `{"a":[}`: "syntax @6", `{"a":[1}`: "syntax @7", `{"a":{"b":1]`: "syntax @11",
		`{a:1}`: "syntax @1", `{'a':1}`: "syntax @1", `{1:1}`: "syntax @1", `{"a":1 "b":2}`: "syntax @7", `{"a":[1 2]}`: "syntax @8", `{//`: "syntax @1",
		`{"a":01}`: "syntax @6", `{"a":-}`: "syntax @6", `{"a":--1}`: "syntax @6", `{"a":1.}`: "syntax @7", `{"a":.5}`: "syntax @5", `{"a":+1}`: "syntax @5",
		`{"a":1e}`: "syntax @7", `{"a":1e+}`: "syntax @8", `{"a":1e5.5}`: "syntax @8", `{"a":1.5.5}`: "syntax @8", `{"a":-01}`: "syntax @7", `{"a":0x1}`: "syntax @6",
		`{"a":NaN}`: "syntax @5", `{"a":nul}`: "syntax @8", `{"a":True}`: "syntax @5", `{"a":truee}`: "syntax @9",
		"{\"a\":\"\n\"}": "syntax @6", "{\"a\":\"\x1f\"}": "syntax @6", `{"a":"\x"}`: "syntax @7", `{"a":"\u12g4"}`: "syntax @10", `{"a":"\'"}`: "syntax @7",

		"{\"a\":\"\xff\"}": "bad_text @6", "{\"a\":\"\xc0\xaf\"}": "bad_text @6", "{\"a\":\"\xed\xa0\x80\"}": "bad_text @6", "{\"a\":\"\xf4\x90\x80\x80\"}": "bad_text @6",
		"{\"a\":\"\xe4\"}": "bad_text @6", "{\"\xff\":1}": "bad_text @2", "{\"a\":\"\x00\"}": "bad_text @6", `{"a\u0000":1}`: "bad_text @8", `{"model":"x\u0000"}`: "bad_text @16",
		`{"a":"\ud800"}`: "bad_text @12", `{"a":"\ud800x"}`: "bad_text @12", `{"a":"\ud800\n"}`: "bad_text @13", `{"a":"\udc00"}`: "bad_text @11",
		`{"a":"\ud800\u0061"}`: "bad_text @17", `{"a":"\ud800\ud800"}`: "bad_text @17", `{"\udc00":1}`: "bad_text @7",
		`{"model\u0000":"x"}`: "bad_text @12", `{"usage":{"total":"\u0000"}}`: "bad_text @24", `{"a":["\u0000",{"\u0000":1}]}`: "bad_text @22",
		"{\xff": "syntax @1",

		`{"model":1,"model":1}`: "ambiguous model@11", `{"model":1,"Model":1}`: "ambiguous model@11", `{"Model":1}`: "ambiguous model@1", `{"MODEL":1,"model":1}`: "ambiguous model@1",
		`{"model":1,"\u006dodel":1}`: "ambiguous model@11", `{"mode\u004c":1}`: "ambiguous model@1", `{"ſtream":1}`: "ambiguous stream@1", `{"\u017ftream":1}`: "ambiguous stream@1",
		`{"\u212aind":1}`: "ambiguous kind@1", `{"kınd":1}`: "ambiguous kind@1", `{"kİnd":1}`: "ambiguous kind@1", "{\"\u212a\u0130ND\":1}": "ambiguous kind@1",
		`{"Stream_options":{"include_usage":true}}`:                "ambiguous stream_options@1",
		`{"stream_options":{},"stream_options":{}}`:                "ambiguous stream_options@21",
		`{"stream_options":1,"stream_options":{}}`:                 "ambiguous stream_options@20",
		`{"stream_options":{"include_Usage":true}}`:                "ambiguous stream_options.include_usage@19",
		`{"stream_options":{"include_usage":1,"include_usage":1}}`: "ambiguous stream_options.include_usage@37",
		`{"usage":{"total":1,"Total":1}}`:                          "ambiguous usage.total@20",
		deep:                                                       "too_deep @132",
	} {
		got := scan(t, Options{Watch: watched}, document)
		want = strings.TrimSpace(want)
		if got.Err != want {
			t.Errorf("%q: %s, want %s", document, got.Err, want)
		}
		everySplit(t, Options{Watch: watched}, document, got)
	}
}

// everySplit scans the document in all two pieces, and in bytes.
func everySplit(t *testing.T, o Options, document string, want result) {
	t.Helper()
	var every []int
	step := 1 + len(document)/500
	for cut := 0; cut <= len(document); cut += step {
		every = append(every, cut)
		if got := scan(t, o, document, cut); !reflect.DeepEqual(want, got) {
			t.Fatalf("%q cut at %d (-whole +cut):\n%s", document, cut, cmp.Diff(want, got))
		}
	}
	if diff := cmp.Diff(want, scan(t, o, document, every...)); diff != "" {
		t.Fatalf("%q in pieces of %d (-whole +pieces):\n%s", document, step, diff)
	}
}

func TestMaxDepth(t *testing.T) {
	for document, want := range map[string]string{`{"a":[]}`: "", `{"a":{}}`: "", `{"a":[{}]}`: "too_deep @6"} {
		if got := scan(t, Options{MaxDepth: 2}, document); got.Err != want {
			t.Errorf("%s: %q, want %q", document, got.Err, want)
		}
	}
}

// TestSiblingSpellings watches two spellings of one name: either may be there.
func TestSiblingSpellings(t *testing.T) {
	o := Options{Watch: []string{"model", "Model", ""}}
	for document, want := range map[string]string{
		`{"model":1}`: "", `{"Model":1,"":2,"x":3}`: "", `{"Model":1,"model":2}`: "ambiguous Model@11", `{"mOdel":1}`: "ambiguous Model@1", `{"":1,"":2}`: "ambiguous @6",
	} {
		if got := scan(t, o, document); got.Err != want {
			t.Errorf("%s: %q, want %q", document, got.Err, want)
		}
		everySplit(t, o, document, scan(t, o, document))
	}
}

func TestErrorText(t *testing.T) {
	for document, want := range map[string]string{
		`{"model":"s3cret","model":1}`: "member model occurs twice",
		`{"MODEL":"s3cret"}`:           "member model must be spelled exactly so, upper and lower case included",
		`{"a":s3cret}`:                 "not valid JSON at byte 5",
		`{"a":"s3cret`:                 "JSON ends early at byte 12",
		`"s3cret"`:                     "not a JSON object at byte 0",
	} {
		s := New(Options{Watch: watched})
		_, err := s.Write([]byte(document))
		if err == nil {
			err = s.Close()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
}

// A copy reads its own document: nothing of the one that the other has read is in it, nor
// does it change what the other has found.
func TestACopyOfAScannerStartsAnew(t *testing.T) {
	var heard []string
	s := New(Options{Watch: []string{"model", "a.b"}, MaxDepth: 2, String: func(path []string, head string) error {
		heard = append(heard, path[len(path)-1]+"="+head)
		return nil
	}})
	if _, err := s.Write([]byte(`{"model":"first","a":{"b":1}}`)); err != nil {
		t.Fatal(err)
	}
	c := s.Copy()
	if _, ok := c.Member("model"); ok {
		t.Error("the copy has the other's member")
	}
	if _, err := c.Write([]byte(`{"model":"later"}`)); err != nil {
		t.Fatal(err)
	}
	for scan, want := range map[*Scanner]string{s: `"first"`, c: `"later"`} {
		if m, ok := scan.Member("model"); !ok || string(m.Raw) != want {
			t.Errorf("got %s, want %s", m.Raw, want)
		}
	}
	if want := []string{"model=first", "model=later"}; !slices.Equal(heard, want) {
		t.Errorf("strings: got %q, want %q", heard, want)
	}
	if _, err := s.Copy().Write([]byte(`{"a":{"b":{}}}`)); err == nil {
		t.Error("the copy has another MaxDepth")
	}
	if _, err := s.Copy().Write([]byte(`{"Model":1}`)); err == nil {
		t.Error("the copy watches nothing")
	}
}
