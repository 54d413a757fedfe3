// Package caddymodule applies the decisions of package authmin in Caddy: the app
// `authmin`, which holds the tokens, and the handler `http.handlers.authmin`,
// which guards everything after it in its site or route.
//
// It is an adapter. It parses the Caddyfile, collects the facts of a request, lets authmin
// decide, and applies the decision: it refuses the request, or forwards it with the
// identity. It also counts requests and writes audit records (package trail). Access is
// decided in authmin only.
//
// It is not a Caddy authentication provider: a provider can only answer 401, never sees
// the outcome, and several of them run in random order.
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
// The first word of a file name is its topic.
//
//   - A request: serve.go, top to bottom; serve_* its steps, public_* routes without a
//     token, limit_* rates and lockout, live.go streams that end with their token, cors_* pages
//     of other origins, problem_* ids of requests and errors of the upstream.
//   - The handler and the app: guard_* and app_*, caddyfile_* their syntax and hints_* its
//     errors, store_* the tokens and their sources, admin_* the endpoints for operators.
//   - Checks of a whole configuration: config.go, fault_* what lint and the start report,
//     inspect_* and coverage_* the walks through the routes.
//   - Records: audit_* the audit trail, metrics.go, log_* which keeps tokens out of every
//     log.
package caddymodule
