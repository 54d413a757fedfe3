// Package nodeapi is the contract between an orchestrator and a node: the types that
// travel on the wire in both directions, and a client for each direction. Both programs,
// and tests, share these definitions, so it imports the standard library and package
// authmin only.
//
// It is not a client of an engine (the pool manager keeps those to itself) and
// it decides nothing: no retry, no placement, no circuit breaker. Redirects are
// never followed, because a redirect would carry the bearer token elsewhere.
//
// The example of the package dispatches a task and reads its events.
//
// # Index
//
//   - Orchestrator to node: [Client] ([New]); tasks are dispatched by [Client.Dispatch]
//     and read from a [Stream] of [Event]; pools are [Pool], [PoolList], [PreloadRequest],
//     [DrainRequest], [ReloadRequest].
//   - Native calls: [Client.Call] and [CallRequest]; the answer is a [CallStream] of
//     [Frame], which the node writes with [BeginFrame], [AppendFrame] and [EndFrame].
//   - Protocols: [Protocol], [Protocols], [Operation], [Operations], [WithProtocols],
//     [WithContexts].
//   - Node to orchestrator: [Orchestrator] ([NewOrchestrator]); [RegisterRequest],
//     [HeartbeatRequest], [Capabilities], [GPU], and the catalog's [Model].
//   - Errors: [StatusError], [ForeignError], [CallError], [ErrUnreachable], [ErrForeign],
//     [ErrLineTooLong], [ParseRetryAfter], [BoundRetryAfter].
package nodeapi
