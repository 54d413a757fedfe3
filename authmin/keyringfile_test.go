package authmin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// lineOf is the line of a token in a keyring file.
func lineOf(name string, rest ...string) string {
	return strings.Join(append([]string{name, "sha256:" + secretOf(name).Digest().Hex()}, rest...), " ")
}

func TestParseKeyringReadsEveryField(t *testing.T) {
	content := strings.Join([]string{
		"# the keys of the gateway", "", "   ",
		lineOf("ci", "infer"),
		lineOf("ops", "admin,metrics", "created=2026-01-02T03:04:05Z", "not_before=2026-02-01T00:00:00+01:00", "expires=2027-01-01T00:00:00Z", "state=active"),
		"#commented sha256:x infer",
		lineOf("gone", "nodes", "state=revoked"),
		"# end 3", "",
	}, "\n")
	unix := func(text string) int64 { at, _ := time.Parse(time.RFC3339, text); return at.Unix() }
	want := []Token{
		{Name: "ci", Scopes: []Scope{ScopeInfer}},
		{Name: "ops", Scopes: []Scope{ScopeAdmin, ScopeMetrics}, Created: unix("2026-01-02T03:04:05Z"),
			NotBefore: unix("2026-01-31T23:00:00Z"), Expires: unix("2027-01-01T00:00:00Z")},
		{Name: "gone", Scopes: []Scope{ScopeNodes}, Revoked: true},
	}
	for name, text := range map[string]string{"LF": content, "CRLF": strings.ReplaceAll(content, "\n", "\r\n")} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseKeyring([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Token{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for i := range got {
				if !got[i].digest.Equal(secretOf(got[i].Name).Digest()) {
					t.Errorf("%s has another digest", got[i].Name)
				}
			}
		})
	}
}

// Each case is the second line of a file; the error must say so, and must hold
// no part of anything that could be a token or a digest.
func TestParseKeyringRefusesLines(t *testing.T) {
	secret, digest := tokenOf("canary"), "sha256:"+secretOf("canary").Digest().Hex()
	sum := strings.TrimPrefix(digest, "sha256:")
	mixed := strings.ToUpper(secret[:32]) + secret[32:] // no name either
	good := "canary " + digest + " infer"
	cases := map[string]string{
		"a name alone":                        "canary",
		"no scope":                            "canary " + digest,
		"too many fields":                     good + " created=2026-01-01T00:00:00Z not_before=2026-01-01T00:00:00Z expires=2027-01-01T00:00:00Z state=active x=y",
		"the token alone":                     mixed,
		"the token for the name":              mixed + " " + digest + " infer",
		"the token for the digest":            "canary " + secret + " infer",
		"the token behind the scheme":         "canary sha256:" + mixed + " infer",
		"the token for the scope":             "canary " + digest + " " + mixed,
		"the token among the scopes":          "canary " + digest + " infer," + mixed,
		"the token for a field":               good + " " + mixed,
		"the token in an unknown field":       good + " token=" + mixed,
		"the token as the key of a field":     good + " " + mixed + "=1",
		"the token for a state":               good + " state=" + mixed,
		"the token for a time":                good + " expires=" + mixed,
		"a name and the token for the scopes": "canary " + mixed + " x",
		"the digest for the name":             digest + " canary infer",
		"the digest for the scope":            "canary " + digest + " " + digest,
		"the digest twice":                    good + " " + digest,
		"the digest for the count":            "# end " + digest,
		"a digest without its scheme":         "canary " + sum + " infer",
		"a digest of another scheme":          "canary sha512:" + sum + " infer",
		"a scheme in upper case":              "canary SHA256:" + sum + " infer",
		"a digest in upper case":              "canary sha256:" + strings.ToUpper(sum) + " infer",
		"a digest of 63 digits":               "canary " + digest[:len(digest)-1] + " infer",
		"a digest of 65 digits":               "canary " + digest + "0 infer",
		"a digest that is no digit":           "canary sha256:" + strings.Repeat("g", 64) + " infer",
		"a reserved name":                     "localhost " + digest + " infer",
		"another reserved name":               "default " + digest + " infer",
		"the third reserved name":             "anonymous " + digest + " infer",
		"a name in upper case":                "Canary " + digest + " infer",
		"a name of 65 characters":             strings.Repeat("a", 65) + " " + digest + " infer",
		"a name with a dot":                   "can.ary " + digest + " infer",
		"an empty scope":                      "canary " + digest + " infer,",
		"a scope twice":                       "canary " + digest + " infer,infer",
		"a scope in upper case":               "canary " + digest + " Infer",
		"a scope of everything":               "canary " + digest + " *",
		"33 scopes":                           "canary " + digest + " s" + strings.Join(strings.Split(fmt.Sprint(1e9+1e32), ""), ",s"),
		"a field without a value":             good + " expires",
		"an empty expiry":                     good + " expires=",
		"an expiry in Unix seconds":           good + " expires=1893456000",
		"an expiry without a zone":            good + " expires=2027-01-01T00:00:00",
		"an expiry that is a date":            good + " expires=2027-01-01",
		"an expiry on no calendar":            good + " expires=2027-02-30T00:00:00Z",
		"an expiry in 1970":                   good + " expires=1970-01-01T00:00:00Z",
		"an expiry before 1970":               good + " expires=1969-12-31T00:00:00Z",
		"an expiry twice":                     good + " expires=2027-01-01T00:00:00Z expires=2028-01-01T00:00:00Z",
		"a state twice":                       good + " state=revoked state=active",
		"an unknown state":                    good + " state=REVOKED",
		"an empty state":                      good + " state=",
		"an unknown field":                    good + " expiry=2027-01-01T00:00:00Z",
		"a field in upper case":               good + " Expires=2027-01-01T00:00:00Z",
		"a comment behind a token":            good + " # the canary",
		"a carriage return in the middle":     good + "\rother " + digest + " admin",
		"a form feed for a space":             "canary\f" + digest + " infer",
		"a no-break space":                    "canary\u00a0" + digest + " infer",
		"a line separator":                    "canary\u2028" + digest + " infer",
		"a NUL":                               "canary\x00 " + digest + " infer",
		"bytes that are not UTF-8":            "can\xffary " + digest + " infer",
		"4 KiB":                               good + strings.Repeat(" ", 4<<10),
		"a comment of 4 KiB":                  "#" + strings.Repeat("x", 4<<10),
		"the end line of one token too many":  "# end 1",
		"the end line with a leading zero":    "# end 00",
		"the end line with a sign":            "# end +0",
		"the end line with two spaces":        "# end  0",
		"the end line with a space behind":    "# end 0 ",
		"the end line of no number":           "# end ",
		"something behind the end line":       "# end 0\n",
	}
	for name, line := range cases {
		t.Run(name, func(t *testing.T) {
			tokens, err := ParseKeyring([]byte("# first\n" + line + "\n# end 1\n"))
			if !errors.Is(err, ErrKeyringFile) || tokens != nil {
				t.Fatalf("got %d tokens and %v, want ErrKeyringFile", len(tokens), err)
			}
			number := "line 2"
			if strings.HasSuffix(line, "\n") {
				number = "line 3"
			}
			if !strings.Contains(err.Error(), number) {
				t.Errorf("the error does not name %s: %v", number, err)
			}
			for _, private := range []string{mixed, secret, strings.ToUpper(sum), sum} {
				if leaks(err.Error(), private) {
					t.Errorf("the error holds what could be a token or a digest: %v", err)
				}
			}
		})
	}
}

func TestParseKeyringRefusesFiles(t *testing.T) {
	good := lineOf("ci", "infer") + "\n"
	cases := map[string]struct{ content, want string }{
		"an empty file":                      {"", "the last line"},
		"a line end":                         {"\n", "the last line"},
		"comments only":                      {"# a\n# b\n", "the last line"},
		"tokens without an end line":         {good, "the last line"},
		"an end line that has no line end":   {good + "# end 1", "the last line"},
		"an end line that counts too many":   {good + "# end 2\n", "line 2"},
		"an end line that counts too few":    {good + good + "# end 1\n", "line 3"},
		"an end line that begins a number":   {good + "# end 1", "the last line"},
		"an empty line behind the end":       {good + "# end 1\n\n", "line 3"},
		"a comment behind the end":           {good + "# end 1\n# bye\n", "line 3"},
		"a token behind the end":             {"# end 0\n" + good + "# end 1\n", "line 2: text after the end line, which is the last one"},
		"two end lines":                      {good + "# end 1\n# end 1\n", "line 3"},
		"a byte order mark":                  {"\ufeff" + good + "# end 1\n", "byte order mark"},
		"a byte order mark before a comment": {"\ufeff# x\n" + good + "# end 1\n", "byte order mark"},
		"UTF-16":                             {"\xff\xfec\x00i\x00\n\x00", "line 1"},
		"line ends of another age":           {strings.ReplaceAll(good+"# end 1\n", "\n", "\r"), "line 1"},
		"a gigantic line":                    {strings.Repeat("x", 1<<20), "line 1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tokens, err := ParseKeyring([]byte(c.content))
			if !errors.Is(err, ErrKeyringFile) || tokens != nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %d tokens and %v, want ErrKeyringFile with %q", len(tokens), err, c.want)
			}
		})
	}
}

// A file that was cut, at any byte, is refused: none of its shorter forms may
// look like a keyring with fewer tokens.
func TestCutKeyringIsNoKeyring(t *testing.T) {
	lines := []string{"# keys", ""}
	for i := range 12 { // two digits in the end line: "# end 1" is a beginning of it
		lines = append(lines, lineOf(fmt.Sprintf("t%d", i), "infer", "expires=2027-01-01T00:00:00Z"))
	}
	for name, end := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
		t.Run(name, func(t *testing.T) {
			content := []byte(strings.Join(append(lines, "# end 12", ""), end))
			if tokens, err := ParseKeyring(content); err != nil || len(tokens) != 12 {
				t.Fatalf("the whole file: %d tokens, %v", len(tokens), err)
			}
			for cut := range content {
				if tokens, err := ParseKeyring(content[:cut]); err == nil {
					t.Fatalf("cut at byte %d of %d it is a keyring of %d tokens", cut, len(content), len(tokens))
				}
			}
			path := filepath.Join(t.TempDir(), "tokens")
			for _, cut := range []int{0, 1, len(content) / 2, len(content) - 1} {
				writeFile(t, path, content[:cut], 0o600)
				if _, err := ReadKeyringFile(path); err == nil {
					t.Errorf("the file cut at byte %d is a keyring", cut)
				}
			}
		})
	}
}

func writeFile(t testing.TB, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // past the umask
		t.Fatal(err)
	}
}
