// Package caddymodule puts the decisions of package authmin into Caddy: the app
// `authmin`, which knows the tokens, and the handler `http.handlers.authmin`,
// which guards everything after it in its site or route.
//
// It is an adapter. It reads the Caddyfile, gathers the facts of a request,
// asks authmin, and carries the decision out: refuses, or says to the upstream
// who asks; counts; and writes the audit line. What is allowed to whom is
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
package caddymodule
