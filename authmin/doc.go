// Package authmin decides who is asking, and whether they may.
//
// It is the project's whole access decision, without a web server: pure functions and
// immutable values over the standard library. The Caddy module makes these decisions
// at the edge, and both backends check the credentials that they accept with the same
// code, so there is one place to read and one place to get right.
//
// # A decision
//
// A request arrives as a [Request]: method, target, Host, header, and the peer of the
// socket. [Decider.Decide] refuses it if two programs could read it in two ways, finds
// the first rule of the [Policy] that matches, identifies the caller, and compares
// scopes. The result is one [Decision], which says for each reader what it needs: the
// [Problem] for the client, the [Reason] for metrics and the audit trail, the identity
// for the upstream. What no rule matches is refused, and a credential that is not valid
// is refused and never treated as absent.
//
// A token exists as text in two places only: in the [Secret] that the operator
// configured, and in the header that the client sent. [ParseCredential] hashes the latter
// at once, and everything behind it works with a [Digest].
//
// # What it does not protect against
//
// It cannot tell whether the connection is encrypted end to end, or whether the holder
// of a token is its owner. It cannot tell a local client from a program on the same
// host that forwards for others without saying so (an SSH tunnel, socat, a proxy that
// adds no header): with the loopback bypass on, such a program is a local client. It
// does not stop guessing by counting. Guessing fails because of the length of the
// tokens, which [CheckStrength] enforces.
//
// # Index by theme
//
// Secrets, which cannot be printed, and their hashes: [Secret], [RandomSecret],
// [Digest], [CheckStrength].
//
// Where a secret comes from, and how a change of its file is noticed: [SecretFromEnv],
// [SecretFromFile], [SecretSource], [SecretWatch], [FileState], [DetachedError],
// [IsMountPoint]. Which servers a connection trusts: [AuthoritiesFromFile].
//
// Tokens and the file that holds their hashes: [Token], [Keyring], [Verdict],
// [ReadKeyringFile], [EditKeyringFile].
//
// What a request presents: [ParseBearer], [ParseAPIKey], [ParseCredential], [Presented],
// [EnsureCorrelationID].
//
// Paths and rules: [CheckTarget], [PathKey], [Policy], [Rule], [Scope].
//
// The decision and how it is reported: [Decider], [Decision], [Reason], [Problem],
// [Challenge], [WriteProblem]; in the shape that each kind of client reads: [Dialect],
// [DialectOf], [WriteProblemAs].
//
// Web pages of other origins: [CheckOrigin], [IsPreflight], [PreflightHeaders],
// [Decider.DecidePreflight].
//
// What a client must not send to an upstream: [SanitizeHeader], [HeaderExceptions].
//
// What counts as this machine: [Listener], [IsLoopbackListen], [IsLoopbackAddr],
// [ParseOptional], [HasForwardingHeader].
//
// Text that is safe to log: [CleanText], [CleanField], [CleanPath], [Redactor].
//
// Package authmin/backend puts a credential check from these parts in front of a
// service.
package authmin
