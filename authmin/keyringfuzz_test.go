package authmin

import (
	"crypto/subtle"
	"strings"
	"testing"
)

func FuzzParseKeyring(f *testing.F) {
	f.Add([]byte(lineOf("ci", "infer,nodes", "created=2026-01-02T03:04:05Z", "state=revoked") + "\n# end 1\n"))
	f.Add([]byte("# end 0\n"))
	f.Add([]byte("\ufeff"))
	for _, attributes := range []string{
		"models=tiny", "models=*", "models=a*/b:c,*:latest", "models=", "models=a,a", "models=a,,b", "models=a\u00a0", "models=**", "models=x models=y",
		"budget=2Mtokens/day", "budget=300requests/hour,1ktokens/month/hard", "budget=0tokens/day", "budget=-1tokens/day", "budget=1tokens/day,2tokens/day", "budget=99999999Gtokens/day",
		"budget=1.5Mtokens/day", "budget=2MTOKENS/day", "budget=1tokens/day/soft", "state=active models=a budget=1requests/day", "budget=1requests/day state=revoked", "not_before=2026-01-02T03:04:05+01:00 expires=2027-01-02T03:04:05Z",
	} {
		line := lineOf("ci", append([]string{"infer"}, strings.Fields(attributes)...)...) + "\n# end 1\n"
		f.Add([]byte("# format 2\n" + line))
		f.Add([]byte(line))
	}
	f.Add([]byte("# format 2\n# format 2\n# end 0\n"))
	f.Add([]byte("# format 3\n# end 0\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tokens, err := ParseKeyring(content)
		if err != nil {
			if tokens != nil || len(err.Error()) > 400 {
				t.Errorf("%d tokens with an error of %d bytes", len(tokens), len(err.Error()))
			}
			return
		}
		for i := range tokens {
			token := &tokens[i]
			if CheckTokenName(token.Name) != nil || len(token.Scopes) == 0 || token.Expires < 0 || token.NotBefore < 0 {
				t.Errorf("token %d is not valid: %+v", i, token)
			}
			if !strings.Contains(string(content), token.digest.Hex()) {
				t.Errorf("token %d has a digest that the file does not hold", i)
			}
		}
		if !strings.HasSuffix(string(content), "\n") {
			t.Error("a file without a last line end was accepted")
		}
		expectSameWhenWritten(t, content, tokens)
	})
}

// expectSameWhenWritten: what `token rotate` and `token revoke` write of a file gives each
// token what the file gave it, its models and budgets included, in the same format.
func expectSameWhenWritten(t *testing.T, content []byte, tokens []Token) {
	t.Helper()
	written := FormatKeyring(tokens)
	again, err := ParseKeyring(written)
	if err != nil || len(again) != len(tokens) {
		t.Fatalf("%q is written as %q, which gives %d tokens (%v), want %d", content, written, len(again), err, len(tokens))
	}
	for i := range tokens {
		before, after := tokens[i], again[i]
		if before.Models.String() != after.Models.String() || (before.Models == nil) != (after.Models == nil) {
			t.Errorf("models %q become %q", before.Models, after.Models)
		}
		if JoinBudgets(before.Budgets) != JoinBudgets(after.Budgets) || JoinScopes(before.Scopes, ",") != JoinScopes(after.Scopes, ",") {
			t.Errorf("token %d is written otherwise: %q becomes %q", i, content, written)
		}
		if needsFormat2(before) && !hasFormat2(content) {
			t.Errorf("%q has attributes of format 2, and does not say so", content)
		}
		if before.Name != after.Name || before.Revoked != after.Revoked || before.Expires != after.Expires || before.NotBefore != after.NotBefore ||
			subtle.ConstantTimeCompare(before.digest[:], after.digest[:]) != 1 {
			t.Errorf("token %d is written otherwise: %q becomes %q", i, content, written)
		}
	}
}
