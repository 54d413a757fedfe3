package caddymodule

import (
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxChanges bounds the audit records of one changed keyring file.
const maxChanges = 1000

// rotation is a token that another one of its name is about to replace.
type rotation struct{ name, before, after string }

// keyringChanges compares a file's tokens with those it had: which were revoked,
// or taken out, before their time, and which are being replaced. The keyrings are
// the gateway's before and after.
func keyringChanges(before, after []authmin.Token, was, is *authmin.Keyring, now time.Time) (revoked []authmin.Token, rotated []rotation) {
	standing := make(map[string]string, len(before)) // name to fp6
	for _, t := range before {
		if t.VerdictAt(now) != authmin.VerdictValid {
			continue
		}
		switch _, verdict := is.Lookup(t.Digest(), now); verdict {
		case authmin.VerdictRevoked, authmin.VerdictUnknown:
			if len(revoked) < maxChanges {
				revoked = append(revoked, t)
			}
		default:
			standing[t.Name] = t.Fingerprint()
		}
	}
	for _, t := range after {
		old, ok := standing[t.Name]
		if _, verdict := was.Lookup(t.Digest(), now); !ok || verdict != authmin.VerdictUnknown || t.Revoked {
			continue
		}
		if len(rotated) < maxChanges {
			rotated = append(rotated, rotation{t.Name, old, t.Fingerprint()})
		}
	}
	return revoked, rotated
}

// What revoked a token: the field `by`.
const (
	byKeyring = "keyring" // a changed keyring file
	bySource  = "source"  // the changed file of a single token
)

// reportChanges writes what a changed file means to the audit trail.
func (s *tokenStore) reportChanges(before, after []authmin.Token, was *authmin.Keyring, by string) {
	revoked, rotated := keyringChanges(before, after, was, s.keyring(), time.Now())
	for _, t := range revoked {
		s.audit.tokenRevoked(t.Name, t.Fingerprint(), by)
	}
	for _, r := range rotated {
		s.audit.rotationDetected(r.name, r.before, r.after)
	}
}
