// Package backend is the common base of the services behind the gateway.
//
// The gateway decides at the edge, with package authmin. A service decides again
// with the same code, because a request can reach it without the gateway: on the
// same host, from a node, or through a port that was opened by mistake. What the
// two services of this project need for that, and for serving at all, is here
// once; the orchestrator and the pool manager add only their domain.
//
// A service is put together in five steps: [Listen] opens the address,
// [NewAuthenticator] checks its credentials, [NewAPI] and [Add] define the
// contract, [Serve] answers requests, and [Cleanups] ends everything in reverse
// order. The example of the package does it.
//
// # What it promises
//
//   - Without a credential a request reaches GET and HEAD /health and /ready only. A service
//     without any token starts on loopback only, and answers 401 to the rest.
//   - A caller's own token gives every scope. With the gateway's token the gateway's
//     identity headers are believed; from others they are removed unread.
//   - A route that declares no scope is refused to every caller, and listed, so that
//     the tests that walk the routes find it.
//   - Requests under way end when their token does.
//   - No token that the service knows is in its logs, nor in its answers.
//   - Headers, bodies, and the time to send or read them are limited.
//   - An error has a code and a number that no other error of the project has.
//
// # What it does not protect against
//
// Connections are not encrypted: on loopback and Unix sockets nothing is in between,
// elsewhere the gateway of the node terminates TLS. It counts no attempts and no
// requests of an identity: the gateway does. A process of the same user can connect
// to a Unix socket, and then needs a token as on every other address.
//
// # Index
//
// Credentials: [Authenticator] ([NewAuthenticator], [Authenticator.Wrap],
// [Authenticator.SetTokens], [Authenticator.Log]), [Caller] ([CallerFrom]).
//
// Serving: [Listen], [Serve], [Server], [StatusWriter]; package tracing, below.
//
// The contract: [API] ([NewAPI], [APIOptions], [Add], [API.AddRaw], [API.Routes],
// [API.Document], [API.AddReady]), [Public], [Route], [Router].
//
// Errors: [Problem] ([NewProblem], [Internal], [API.WriteProblem]), [FieldError],
// [Codes], [CodeNumber].
//
// Streams: [Stream] ([NewStream], [Stream.Write], [Stream.KeepAlive]).
//
// Configuration: [Program] ([Daemon], [Service]), [Setting] and [Settings] with
// their [Value], [Secret] and [Secrets], [ReadConfig], [KeyError], [Variables].
//
// Start and stop: [StopSignals], [Reloader], [Cleanups].
package backend
