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
//
// # Index
//
// Each file has the routes of one topic, registered by a method such as taskRoutes, and
// the types that they read and write.
//
//   - Tasks and their event streams: tasks.go; tasks_native.go receives large ones; sse.go writes the events, streamdoc.go
//     describes them in the OpenAPI document.
//   - Native calls, which are requests to an engine's own API: call.go has the routes,
//     call_answer.go writes the answer, call_dialect.go and call_problem.go its errors.
//   - Models, as clients of OpenAI and Ollama list them: models.go, models_ollama.go.
//   - For operators and nodes: catalog.go, nodes.go, control.go (pools).
//   - Sessions, artifacts, health and versions: sessions.go, artifacts.go, meta.go.
//   - All routes: api.go ([New], [Options], [API.Handler], [API.Routes]), route.go (how
//     one is registered), problem.go (an error of package orchestrator becomes a
//     [Problem]).
package httpapi
