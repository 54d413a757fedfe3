package authmin

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func envOf(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
}

func TestSecretFromEnv(t *testing.T) {
	token, file := tokenOf("canary"), filepath.Join(t.TempDir(), "token")
	writeFile(t, file, []byte(token), 0o600)
	cases := map[string]struct {
		env  map[string]string
		want string // a part of the message; "" for the token
	}{
		"the variable":                         {map[string]string{"T": token}, ""},
		"the file":                             {map[string]string{"T_FILE": file}, ""},
		"both":                                 {map[string]string{"T": token, "T_FILE": file}, "both"},
		"both, the variable empty":             {map[string]string{"T": "", "T_FILE": file}, "both"},
		"both, the file empty":                 {map[string]string{"T": token, "T_FILE": ""}, "both"},
		"both empty":                           {map[string]string{"T": "", "T_FILE": ""}, "both"},
		"an empty variable":                    {map[string]string{"T": ""}, "from T: unusable token: it is empty"},
		"a blank":                              {map[string]string{"T": " "}, "empty"},
		"white space of every kind":            {map[string]string{"T": " \t\r\n\v\f\u00a0\u2003 "}, "empty"},
		"31 characters":                        {map[string]string{"T": token[:31]}, "fewer"},
		"a space in front":                     {map[string]string{"T": " " + token}, "character"},
		"a line end behind":                    {map[string]string{"T": token + "\n"}, "character"},
		"a byte order mark":                    {map[string]string{"T": "\ufeff" + token}, "character"},
		"quotes that a shell would have taken": {map[string]string{"T": `"` + token + `"`}, "character"},
		"the scheme with it":                   {map[string]string{"T": "Bearer " + token}, "character"},
		"a placeholder":                        {map[string]string{"T": "${" + strings.ToUpper(token) + "}"}, "placeholder"},
		"no path":                              {map[string]string{"T_FILE": ""}, "T_FILE: reading token: "},
		"a relative path":                      {map[string]string{"T_FILE": "token"}, "absolute"},
		"the token for its path":               {map[string]string{"T_FILE": token}, "absolute"},
		"a file that is not there":             {map[string]string{"T_FILE": file + ".absent"}, "no such file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := SecretFromEnv(envOf(c.env), "T")
			if c.want == "" {
				if err != nil || !s.Equal(secretOf("canary")) {
					t.Fatalf("got %v, %v", s, err)
				}
				return
			}
			if !errors.Is(err, ErrTokenSource) || !s.IsZero() || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want ErrTokenSource with %q and no secret", err, c.want)
			}
			if leaks(err.Error(), token) || leaks(err.Error(), strings.ToUpper(token)) {
				t.Errorf("the error holds a part of the token: %v", err)
			}
		})
	}
	if s, err := SecretFromEnv(envOf(nil), "T"); err != nil || !s.IsZero() {
		t.Errorf("without any variable: got %v, %v, want no secret and no error", s, err)
	}
}

func TestSecretFromFile(t *testing.T) {
	token := tokenOf("canary")
	cases := map[string]struct{ content, want string }{
		"the token":                 {token, ""},
		"a line end":                {token + "\n", ""},
		"a carriage return as well": {token + "\r\n", ""},
		"a carriage return alone":   {token + "\r", ""},
		"nothing":                   {"", "empty"},
		"a line end alone":          {"\n", "empty"},
		"blanks":                    {" \t \n", "empty"},
		"two line ends":             {token + "\n\n", "character"},
		"two carriage returns":      {token + "\r\r\n", "character"},
		"a line end in front":       {"\n" + token, "character"},
		"a space behind":            {token + " \n", "character"},
		"two tokens":                {token + "\n" + tokenOf("b") + "\n", "character"},
		"31 characters":             {token[:31] + "\n", "fewer"},
		"a byte order mark":         {"\ufeff" + token + "\n", "byte order mark"},
		"UTF-16":                    {"\xff\xfe" + strings.Join(strings.Split(token, ""), "\x00") + "\x00", "character"},
		"a NUL":                     {token + "\x00", "character"},
		"an assignment":             {"LLORCH_API_TOKEN=" + token, "character"},
		"the longest":               {strings.Repeat("ab", MaxTokenLength/2) + "\r\n", ""},
		"a byte more":               {strings.Repeat("ab", MaxTokenLength/2) + "a", "limit"},
		"three bytes more":          {strings.Repeat("ab", MaxTokenLength/2) + "aaa", "larger than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			writeFile(t, path, []byte(c.content), 0o600)
			s, err := SecretFromFile(path)
			if c.want == "" {
				if err != nil || !s.Equal(NewSecret(strings.TrimRight(c.content, "\r\n"))) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if !errors.Is(err, ErrTokenSource) || !s.IsZero() || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want ErrTokenSource with %q and the path", err, c.want)
			}
			if leaks(err.Error(), token) {
				t.Errorf("the error holds a part of the token: %v", err)
			}
		})
	}
}

func TestSourceErrorsNeverHoldTheValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9]{8,31}`), rapid.StringMatching(`[A-Z]{40}[ {$;é]`)).Draw(rt, "value")
		writeFile(t, path, []byte(text), 0o600)
		_, fromFile := SecretFromFile(path)
		_, fromEnv := SecretFromEnv(envOf(map[string]string{"T": text}), "T")
		_, fromPath := SecretFromEnv(envOf(map[string]string{"T_FILE": text}), "T")
		for _, err := range []error{fromFile, fromEnv, fromPath} {
			if err == nil || strings.Contains(err.Error(), text) {
				rt.Fatalf("%q: %v", text, err)
			}
		}
	})
}
