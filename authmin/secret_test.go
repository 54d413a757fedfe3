package authmin

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Places in which a secret may be when a value is printed.
type (
	exportedField   struct{ Token Secret }
	unexportedField struct {
		name  string
		token Secret
	}
	deepField   struct{ inner *unexportedField }
	secretError struct{ token Secret }
)

func (e secretError) Error() string { return fmt.Sprintf("using %v: refused", e.token) }

func places(s Secret) map[string]any {
	return map[string]any{
		"itself":                  s,
		"a pointer":               &s,
		"an exported field":       exportedField{s},
		"a pointer to a struct":   &exportedField{s},
		"an unexported field":     unexportedField{"x", s},
		"a field of a field":      deepField{&unexportedField{"x", s}},
		"a slice":                 []Secret{s},
		"an array":                [1]Secret{s},
		"a map's value":           map[string]Secret{"k": s},
		"a map's key":             map[Secret]string{s: "v"},
		"an interface":            []any{s},
		"an error":                secretError{s},
		"a wrapped error":         fmt.Errorf("starting: %w", secretError{s}),
		"joined errors":           errors.Join(secretError{s}, errors.New("x")),
		"a token of a keyring":    NewToken("ci", s, ScopeInfer),
		"a pointer to such token": func() *Token { t := NewToken("ci", s); return &t }(),
	}
}

func TestSecretNeverPrints(t *testing.T) {
	token := tokenOf("canary")
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%U", "%p", "%T", "%10.4s", "%-20v", "%!"}
	for place, value := range places(NewSecret(token)) {
		t.Run(place, func(t *testing.T) {
			for _, verb := range verbs {
				refuseLeak(t, verb, fmt.Sprintf(verb, value), token)
			}
			refuseLeak(t, "Sprint", fmt.Sprint(value), token)
			refuseLeak(t, "Errorf", fmt.Errorf("starting: %v", value).Error(), token)
		})
	}
}

func TestSecretNeverMarshals(t *testing.T) {
	token := tokenOf("canary")
	encoders := map[string]func(any) string{
		"JSON":          func(v any) string { b, err := json.Marshal(v); return fmt.Sprint(string(b), err) },
		"indented JSON": func(v any) string { b, err := json.MarshalIndent(v, "", " "); return fmt.Sprint(string(b), err) },
		"XML":           func(v any) string { b, err := xml.Marshal(v); return fmt.Sprint(string(b), err) },
		"a template": func(v any) string {
			var b strings.Builder
			err := template.Must(template.New("").Parse(`{{.}}<a b="{{.}}">{{printf "%#v" .}}`)).Execute(&b, v)
			return fmt.Sprint(b.String(), err)
		},
		"slog text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).With("w", v).Info("m", "k", v, slog.Group("g", "k", v))
			return b.String()
		},
		"slog JSON": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).With("w", v).Info("m", "k", v, slog.Group("g", "k", v))
			return b.String()
		},
		"log": func(v any) string { var b bytes.Buffer; log.New(&b, "", 0).Println(v); return b.String() },
		"a panic": func(v any) (text string) {
			defer func() { text = fmt.Sprint(recover()) }()
			panic(v)
		},
	}
	for name, encode := range encoders {
		t.Run(name, func(t *testing.T) {
			for place, value := range places(NewSecret(token)) {
				refuseLeak(t, place, encode(value), token)
			}
		})
	}
}

func TestSecretShowsThatItIsRedacted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, secretOf("ci")); got != "[redacted]" {
			t.Errorf("%s gives %q, want [redacted]", verb, got)
		}
	}
	if got, err := json.Marshal(exportedField{secretOf("ci")}); err != nil || string(got) != `{"Token":"[redacted]"}` {
		t.Errorf("JSON gives %s, %v", got, err)
	}
}

func TestSecretEquality(t *testing.T) {
	a := secretOf("a")
	cases := map[string]struct {
		s, t Secret
		want bool
	}{
		"the same value":                {a, a, true},
		"another copy of the text":      {a, NewSecret(strings.Clone(tokenOf("a"))), true},
		"another token":                 {a, secretOf("b"), false},
		"a prefix":                      {a, NewSecret(tokenOf("a")[:63]), false},
		"one byte more":                 {a, NewSecret(tokenOf("a") + "a"), false},
		"another case":                  {a, NewSecret(strings.ToUpper(tokenOf("a"))), false},
		"a token and no token":          {a, Secret{}, false},
		"no token and a token":          {Secret{}, a, false},
		"no token and no token":         {Secret{}, Secret{}, false},
		"no token and an empty text":    {Secret{}, NewSecret(""), false},
		"an empty text and itself":      {NewSecret(""), NewSecret(""), false},
		"the word that secrets show as": {a, NewSecret("[redacted]"), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.s.Equal(c.t); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRandomSecretsAreStrongAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := RandomSecret()
		if err := CheckStrength(s); err != nil || len(s.Reveal()) != 43 {
			t.Fatalf("a random secret of %d characters: %v, want 43 and no error", len(s.Reveal()), err)
		}
		seen[s.Reveal()] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different secrets of 1000", len(seen))
	}
}

func TestSecretProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[A-Za-z0-9+/._~-]{12,80}`).Draw(rt, "token")
		s := NewSecret(text)
		if s.Reveal() != text || s.IsZero() {
			rt.Fatal("a secret does not hold its token")
		}
		for place, value := range places(s) {
			if leaks(fmt.Sprintf("%v %+v %#v", value, value, value), text) {
				rt.Fatalf("leaked through %s", place)
			}
		}
	})
}

func refuseLeak(t *testing.T, where, output, token string) {
	t.Helper()
	if leaks(output, token) || leaks(output, fmt.Sprintf("%x", token)) {
		t.Errorf("%s leaks the token: %s", where, output)
	}
}
