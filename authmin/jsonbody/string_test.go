package jsonbody

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStrings(t *testing.T) {
	long := strings.Repeat("x", maxHead)
	cases := map[string]struct {
		document string
		want     []string
	}{
		"none":                         {`{"a":1,"b":[null]}`, nil},
		"names are none":               {`{"a":{}}`, nil},
		"one":                          {`{"a":"b"}`, []string{"a=b"}},
		"arrays are transparent":       {`{"m":[{"c":["x",[{"u":"y"}],"z"]}],"k":"w"}`, []string{"m.c=x", "m.c.u=y", "m.c=z", "k=w"}},
		"a name does not outlive":      {`{"a":{"b":{"c":"1"},"d":"2"},"e":"3"}`, []string{"a.b.c=1", "a.d=2", "e=3"}},
		"unescaped":                    {`{"\u0061\"":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00ä"}`, []string{"a\"=\"\\/\b\f\n\r\tä😀ä"}},
		"an escaped NUL":               {`{"a":"\u0000b","m":["\u0000"],"usage":{"other":"\u0000"}}`, []string{"a=\x00b", "m=\x00", "usage.other=\x00"}},
		"256 bytes":                    {`{"a":"` + long + `"}`, []string{"a=" + long}},
		"more":                         {`{"a":"` + long + `yz\n"}`, []string{"a=" + long}},
		"a cut character":              {`{"a":"` + long[1:] + `äx"}`, []string{"a=" + long[1:]}},
		"a cut character, escaped":     {`{"a":"` + long[3:] + `\ud83d\ude00x"}`, []string{"a=" + long[3:]}},
		"a character that just fits":   {`{"a":"` + long[4:] + `😀x"}`, []string{"a=" + long[4:] + "😀"}},
		"a long name":                  {`{"` + long + `y":"1"}`, []string{long + "=1"}},
		"a long name, cut in the rune": {`{"` + long[1:] + `ä":"1"}`, []string{long[1:] + "=1"}},
		"a watched one as well":        {`{"model":"x"}`, []string{"model=x"}},
		"an empty one":                 {`{"":""}`, []string{"="}},
	}
	// A watched name longer than a head must not lengthen what is reported.
	for _, watch := range [][]string{nil, watched, {long + long}} {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				got := scan(t, Options{Watch: watch}, c.document)
				if diff := cmp.Diff(c.want, got.Strings); diff != "" || got.Err != "" {
					t.Errorf("%q: error %q, strings (-want +got):\n%s", c.document, got.Err, diff)
				}
				everySplit(t, Options{Watch: watch}, c.document, got)
			})
		}
	}
}

func TestStringErrorEndsTheScan(t *testing.T) {
	refused := errors.New("a URL")
	calls := 0
	s := New(Options{String: func([]string, string) error { calls++; return refused }})
	for range 2 {
		if _, err := s.Write([]byte(`{"a":"b","c":"d"}`)); err != refused {
			t.Errorf("Write: %v, want the error of String", err)
		}
	}
	if err := s.Close(); err != refused || calls != 1 {
		t.Errorf("Close: %v after %d calls, want the error of String after 1", err, calls)
	}
}

// TestSkipPlain has each byte at each place of texts of many lengths.
func TestSkipPlain(t *testing.T) {
	for c := range 256 {
		plain := c >= ' ' && c < 0x80 && c != '"' && c != '\\'
		for length := range 20 {
			for at := range length {
				// A quote after it must not be found first.
				text := []byte(strings.Repeat("~", length) + `"\` + strings.Repeat("\xff", 8))
				text[at] = byte(c)
				want := at
				if plain {
					want = length
				}
				if got := skipPlain(text, 0); got != want {
					t.Fatalf("%q: %d, want %d", text, got, want)
				}
				if got := skipPlain(text[:length], 0); got != want {
					t.Fatalf("%q: %d, want %d", text[:length], got, want)
				}
			}
		}
	}
}

// TestManyNames has more names than are remembered.
func TestManyNames(t *testing.T) {
	var document strings.Builder
	var want []string
	for i := range 3 * maxNames {
		name := strings.Repeat("n", i)
		document.WriteString(`,"` + name + `":"1"`)
		want = append(want, name+"=1")
	}
	s := New(Options{String: func(path []string, _ string) error {
		if path[0]+"=1" != want[0] {
			t.Errorf("path %q, want %q", path, want[0])
		}
		want = want[1:]
		return nil
	}})
	if _, err := s.Write([]byte("{" + document.String()[1:] + "}")); err != nil || len(s.names) > maxNames {
		t.Errorf("Write: %v, %d names kept, want at most %d", err, len(s.names), maxNames)
	}
}
