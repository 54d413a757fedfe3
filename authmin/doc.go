// Package authmin decides who is asking, and whether they may.
//
// It is the whole of the project's access decision, with no web server around
// it: pure functions and immutable values over the standard library. The Caddy
// module puts these decisions at the edge, and package backend before the two
// services behind it, so there is one place to read and one place to get right.
//
// # What it does
//
//   - A [Secret] is a token that cannot be printed, logged or marshalled.
//   - [ParseBearer] reads one RFC 6750 credential and hashes it on the spot:
//     from there on only a [Digest] travels.
//   - A [Keyring] finds a digest among up to a million tokens at a cost that
//     depends neither on which token matches nor on whether one does.
//   - A [Policy] maps a method and a path to a rule, and [CheckTarget] refuses
//     every path that two parsers could read in two ways.
//   - [Decider.Decide] puts these together into one [Decision].
//
// # What it does not protect against
//
// It cannot see whether the connection is encrypted end to end, whether the
// holder of a token is its owner, or whether a program on the same host that
// speaks for somebody else (an SSH tunnel, socat, a proxy that adds no header)
// is that somebody: with the loopback bypass on, such a program is a local
// client like any other. It does not stop guessing by counting: what stops it
// is the length of the tokens, which [CheckStrength] enforces.
//
// # Example
//
//	ring, err := authmin.NewKeyring([]authmin.Token{
//		authmin.NewToken("ci", secret, authmin.ScopeInfer),
//	})
//	if err != nil {
//		return err
//	}
//	digest, presented := authmin.ParseBearer(r.Header.Values("Authorization"))
//	if presented != authmin.PresentedToken {
//		return errors.New("no usable credential")
//	}
//	token, verdict := ring.Lookup(digest, time.Now())
package authmin
