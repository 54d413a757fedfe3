package authmin

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestKeyringFormat2HasModels(t *testing.T) {
	line := lineOf("ci", "infer", "models=tiny,team-*")
	for name, c := range map[string]struct{ content, err string }{
		"format 2":             {"# the keys\n# format 2\n" + line + "\n# end 1\n", ""},
		"CRLF":                 {"# format 2\r\n" + line + "\r\n# end 1\n", ""},
		"no format":            {line + "\n# end 1\n", "line 1: models needs a line `# format 2`"},
		"format 1":             {"# format 1\n" + line + "\n# end 1\n", "line 2: models needs a line `# format 2`"},
		"a later format":       {line + "\n# format 2\n# end 1\n", "line 1: models needs"},
		"after the first":      {lineOf("ci", "infer") + "\n# format 2\n# end 1\n", "after the first token"},
		"twice":                {"# format 2\n# format 2\n" + line + "\n# end 1\n", "given twice"},
		"format 3":             {"# format 3\n" + line + "\n# end 1\n", "written for a newer version"},
		"a comment":            {"# format of a line: NAME\n# format 2\n" + line + "\n# end 1\n", ""},
		"an empty list":        {"# format 2\n" + lineOf("ci", "infer", "models=") + "\n# end 1\n", "number 1 is not a name"},
		"models twice":         {"# format 2\n" + line + " models=big\n# end 1\n", "models is given twice"},
		"an unknown attribute": {"# format 2\n" + line + " model=big\n# end 1\n", "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, err := ParseKeyring([]byte(c.content))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tokens[0].Models.String(); got != "tiny,team-*" {
				t.Errorf("got models %s", got)
			}
		})
	}
}

// A gateway of an older version reads the file as [Token.setField] without this attribute
// did: the error is the same that it gives, so that the file is refused there.
func TestModelsAreNoFieldOfFormat1(t *testing.T) {
	if err := new(Token).setField("models", "tiny"); err == nil {
		t.Error("models is a field of format 1")
	}
}

func TestEditingWritesTheFormatWhereItIsNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	old := "# who\n" + lineOf("a", "infer") + "\n# end 1\n"
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	editFile(t, path, func(tokens []Token) ([]Token, error) {
		tokens[0].Revoked = true
		return tokens, nil
	})
	if got := read(); strings.Contains(got, "format") {
		t.Errorf("the format is written without need:\n%s", got)
	}
	for range 2 { // the second edit adds no second format line
		editFile(t, path, func(tokens []Token) ([]Token, error) {
			tokens[0].Models = &Models{patterns: []string{"tiny"}, text: "tiny"}
			tokens[0].Revoked = !tokens[0].Revoked
			return tokens, nil
		})
	}
	want := "# format 2\n# who\n" + lineOf("a", "infer", "state=revoked", "models=tiny") + "\n# end 1\n"
	if got := read(); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// Every field of a token is in its line, and a change of it is a change of the token: a
// new field that is forgotten in either place would be lost by an edit.
func TestEveryFieldOfATokenIsWritten(t *testing.T) {
	plain := Token{Name: "ci", Scopes: []Scope{ScopeInfer}, digest: secretOf("ci").Digest()}
	values := map[string]any{
		"Name": "other", "Scopes": []Scope{ScopeAdmin}, "Created": int64(1), "NotBefore": int64(2), "Expires": int64(3),
		"Revoked": true, "Models": &Models{patterns: []string{"tiny"}, text: "tiny"},
		"Budgets": []Budget{{300, BudgetRequests, BudgetHour, false}},
	}
	for field := range reflect.TypeFor[Token]().Fields() {
		if !field.IsExported() {
			continue
		}
		changed := plain
		value, ok := values[field.Name]
		if !ok {
			t.Errorf("%s has no value in this test", field.Name)
			continue
		}
		reflect.ValueOf(&changed).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(value))
		if sameToken(&plain, &changed) {
			t.Errorf("a changed %s is the same token", field.Name)
		}
		tokens, err := ParseKeyring(FormatKeyring([]Token{changed}))
		if err != nil {
			t.Fatal(err)
		}
		if !sameToken(&tokens[0], &changed) {
			t.Errorf("%s is not read as it was written: %s", field.Name, FormatKeyring([]Token{changed}))
		}
	}
}
