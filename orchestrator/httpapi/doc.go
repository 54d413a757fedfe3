// Package httpapi is the orchestrator's HTTP contract: one definition gives
// each route its validation, its place in the OpenAPI document, the scope it
// needs, and its line in the list that tests walk.
//
// It does not check credentials: wrap Handler in backend.Authenticator, which puts
// the caller into the context. It does check scopes, and a route that declares
// none cannot be reached.
//
// The example of the package lists routes with their scopes, and serves them behind the
// check of credentials.
package httpapi
