package authmin

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFingerprintOfTheSpecification(t *testing.T) {
	if got := NewSecret("test").Fingerprint(); got != "9f86d0" {
		t.Errorf(`fp6("test") is %s, want 9f86d0`, got)
	}
}

func TestParseDigest(t *testing.T) {
	good := secretOf("ci").Digest().Hex()
	cases := map[string]struct {
		text string
		ok   bool
	}{
		"64 lower-case digits":   {good, true},
		"nothing":                {"", false},
		"63 digits":              {good[:63], false},
		"65 digits":              {good + "0", false},
		"upper case":             {strings.ToUpper(good), false},
		"one upper-case digit":   {"A" + good[1:], false},
		"a g":                    {"g" + good[1:], false},
		"a space in front":       {" " + good[:63], false},
		"a space behind":         {good[:63] + " ", false},
		"the byte before 0":      {"/" + good[1:], false},
		"the byte after 9":       {":" + good[1:], false},
		"the byte before a":      {"`" + good[1:], false},
		"a letter of two bytes":  {"é" + good[2:], false},
		"full-width digits":      {strings.Repeat("０", 22)[:64], false},
		"a NUL":                  {"\x00" + good[1:], false},
		"a prefix of the scheme": {"sha256:" + good[7:], false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := ParseDigest(c.text)
			if (err == nil) != c.ok {
				t.Fatalf("got error %v, want ok %v", err, c.ok)
			}
			if err != nil && leaks(err.Error(), good) {
				t.Errorf("the error holds digits: %v", err)
			}
			if err != nil && !d.Equal(Digest{}) {
				t.Error("a refused digest has a value")
			}
		})
	}
}

func TestDigestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		d := digestOf(text)
		back, err := ParseDigest(d.Hex())
		if err != nil || !back.Equal(d) || !d.Equal(sha256.Sum256([]byte(text))) {
			rt.Fatalf("%s does not come back: %v", d.Hex(), err)
		}
		if !strings.HasPrefix(d.Hex(), d.Fingerprint()) || len(d.Fingerprint()) != 6 {
			rt.Fatalf("fp6 %s of %s", d.Fingerprint(), d.Hex())
		}
		flipped := d
		flipped[rapid.IntRange(0, len(d)-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if flipped.Equal(d) {
			rt.Fatal("a digest with one bit flipped is equal")
		}
	})
}

// A digest is no credential, but what prints it by mistake shows no more than
// the audit trail does.
func TestDigestPrintsAsItsFingerprint(t *testing.T) {
	d := secretOf("ci").Digest()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(verb, d); got != d.Fingerprint() {
			t.Errorf("%s gives %q, want %q", verb, got, d.Fingerprint())
		}
	}
	if got, err := json.Marshal(d); err != nil || string(got) != `"`+d.Fingerprint()+`"` {
		t.Errorf("JSON gives %s, %v", got, err)
	}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "d", d)
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "d", d)
	if leaks(b.String(), d.Hex()) || strings.Count(b.String(), d.Fingerprint()) != 2 {
		t.Errorf("slog gives %s", b.String())
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(strings.Repeat("0", 64))
	f.Add(strings.Repeat("F", 64))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDigest(text); err == nil && d.Hex() != text {
			t.Errorf("%q was read as %s", text, d.Hex())
		}
	})
}
