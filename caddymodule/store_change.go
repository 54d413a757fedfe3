package caddymodule

import (
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxChanges bounds the audit records of one changed keyring file.
const maxChanges = 1000

// rotation is a new token beside a valid one of the same name.
type rotation struct{ name, before, after string }

// keyringChanges compares the tokens of a file before and after a change. It returns the
// valid tokens that were revoked or removed, and those that are being rotated. was and is
// are the gateway's keyrings before and after.
func keyringChanges(before, after []authmin.Token, was, is *authmin.Keyring, now time.Time) (revoked []authmin.Token, rotated []rotation) {
	remaining := make(map[string]string, len(before)) // name to fp6
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
			remaining[t.Name] = t.Fingerprint()
		}
	}
	for _, t := range after {
		old, ok := remaining[t.Name]
		if _, verdict := was.Lookup(t.Digest(), now); !ok || verdict != authmin.VerdictUnknown || t.Revoked {
			continue
		}
		if len(rotated) < maxChanges {
			rotated = append(rotated, rotation{t.Name, old, t.Fingerprint()})
		}
	}
	return revoked, rotated
}

// The values of the field `by`: what revoked a token.
const (
	byKeyring = "keyring" // a changed keyring file
	bySource  = "source"  // the changed file of a single token
)

// reportChanges records the revocations and rotations of a changed file.
func (s *tokenStore) reportChanges(before, after []authmin.Token, was *authmin.Keyring, by string) {
	revoked, rotated := keyringChanges(before, after, was, s.keyring(), time.Now())
	for _, t := range revoked {
		s.audit.tokenRevoked(t.Name, t.Fingerprint(), by)
	}
	for _, r := range rotated {
		s.audit.rotationDetected(r.name, r.before, r.after)
	}
}
