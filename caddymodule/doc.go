// Package caddymodule puts the decisions of package authmin into Caddy: the app
// `authmin`, which knows the tokens, and the handler `http.handlers.authmin`,
// which guards everything after it in its site or route.
//
// It is an adapter. It reads the Caddyfile, gathers the facts of a request, asks
// authmin, and carries the decision out: it refuses, or tells the upstream the
// identity; it counts; and it writes the audit record (package trail). Access itself is
// decided in authmin only.
//
// It is not an authentication provider of Caddy's: a provider can only answer
// 401, never sees the outcome, and several run in random order.
//
//	{
//		authmin {
//			token ci {file./run/secrets/ci_token} infer
//		}
//	}
//	gateway.example.com {
//		authmin edge {
//			public GET,HEAD /health
//			require infer /v1/*
//		}
//		reverse_proxy 127.0.0.1:8081
//	}
//
// # Index
//
// A file's first word says which idea it belongs to.
//
//   - A request: serve.go, top to bottom; serve_* what it uses, public_* routes without
//     a token, limit_* rates and lockout, live_* streams that end with their token.
//   - The handler and the app: guard_* and app_*, caddyfile_* their syntax, store_* the
//     tokens and where they come from, admin_* the endpoints for operators.
//   - What is recorded: audit_* the audit trail, metrics.go, log_* tokens kept out of
//     every log.
package caddymodule
