// Package nodeapi is how another program talks to a pool manager: the types
// that travel on the wire, the calls on pools, the stream of one dispatched task, and
// the frames of a native call ([Client.Call]). It imports the standard library only, so that both sides of the wire,
// and tests, can share one definition.
//
// It is not a client of an engine (the pool manager keeps those to itself) and
// it decides nothing: no retry, no placement, no circuit breaker. Redirects are
// never followed, because a redirect would carry the bearer token elsewhere.
//
// The example of the package dispatches a task and reads its events.
package nodeapi
