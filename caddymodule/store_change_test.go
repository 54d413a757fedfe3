package caddymodule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

func TestAChangedKeyringSaysWhatWasRevokedAndWhatIsReplaced(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	secrets := map[string]authmin.Secret{}
	token := func(name, secret string, expires int64, revoked bool) authmin.Token {
		if _, ok := secrets[secret]; !ok {
			secrets[secret] = authmin.RandomSecret()
		}
		made := authmin.NewToken(name, secrets[secret], authmin.ScopeInfer)
		made.Expires, made.Revoked = expires, revoked
		return made
	}
	for _, c := range []struct {
		what             string
		before, after    []authmin.Token
		revoked, rotated []string
	}{
		{"nothing changes", []authmin.Token{token("ci", "a", 0, false)}, []authmin.Token{token("ci", "a", 0, false)}, nil, nil},
		{"a token is revoked", []authmin.Token{token("ci", "a", 0, false)}, []authmin.Token{token("ci", "a", 0, true)}, []string{"ci"}, nil},
		{"a token is taken out", []authmin.Token{token("ci", "a", 0, false)}, nil, []string{"ci"}, nil},
		{"an expired token is taken out", []authmin.Token{token("ci", "a", 5, false)}, nil, nil, nil},
		{"a token is replaced with overlap", []authmin.Token{token("ci", "a", 0, false)},
			[]authmin.Token{token("ci", "a", 2_000_000, false), token("ci", "b", 0, false)}, nil, []string{"ci"}},
		{"a token is replaced at once", []authmin.Token{token("ci", "a", 0, false)}, []authmin.Token{token("ci", "b", 0, false)}, []string{"ci"}, nil},
		{"another token is added", []authmin.Token{token("ci", "a", 0, false)},
			[]authmin.Token{token("ci", "a", 0, false), token("boss", "c", 0, false)}, nil, nil},
	} {
		was, is := mustRing(t, c.before), mustRing(t, c.after)
		var revoked, rotated []string
		gone, replaced := keyringChanges(c.before, c.after, was, is, now)
		for _, g := range gone {
			revoked = append(revoked, g.Name)
		}
		for _, r := range replaced {
			if r.before == r.after || r.before == "" || r.after == "" {
				t.Errorf("%s: fingerprints %q and %q", c.what, r.before, r.after)
			}
			rotated = append(rotated, r.name)
		}
		if diff := cmp.Diff([][]string{c.revoked, c.rotated}, [][]string{revoked, rotated}); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.what, diff)
		}
	}
}

func mustRing(t *testing.T, tokens []authmin.Token) *authmin.Keyring {
	t.Helper()
	ring, err := authmin.NewKeyring(tokens)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestRevocationAndRotationAreInTheAuditTrail(t *testing.T) {
	line := keyringLine("ci", tokenInfer, "infer")
	ring := newKeyring(t, line, keyringLine("boss", tokenAdmin, "admin"))
	up := newUpstream(t, nil)
	g := serve(t, false, ring.globals(), "\tauthmin {\n\t\trequire infer /v1/*\n\t}\n\treverse_proxy "+up.address()+"\n")
	ring.write(t, line+" expires=2099-01-01T00:00:00Z", keyringLine("ci", tokenUpstream, "infer"), keyringLine("boss", tokenAdmin, "admin state=revoked"))
	for _, event := range []string{eventConfigLoaded, eventRotation, eventRevoked} {
		testkit.Eventually(t, event, func() bool {
			for _, record := range g.records(t) {
				if record["event"] == event {
					return true
				}
			}
			return false
		})
	}
}
