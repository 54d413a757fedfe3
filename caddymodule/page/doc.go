// Package page is a page for people who would rather look than read: the handler
// `http.handlers.authmin_page`. It shows the decisions of the gateway and their reasons,
// the clients that are locked out, the tokens, the newest records of the audit trail and,
// with `orchestrator`, the nodes, pools and tasks with their events.
//
//	https://page.example.com {
//		authmin_page {
//			orchestrator   http://127.0.0.1:8081
//			upstream_token {file./run/secrets/upstream_token}
//		}
//	}
//
// The directive makes two handlers: a guard of package caddymodule with `token_only`, and
// behind it the handler of this package. The guard decides and records each request, as
// those of any other site. The handler's files are public. Its data are for the holder of
// a token: [caddymodule.CallerOf] is the only way to know one, and without one there are
// no data. A holder of scope admin sees everything, another one its own.
//
// # What it does not show
//
// Prompts and answers: what comes from the orchestrator is decoded into types that have no
// field for them, so that a new field there is not shown here. Tokens: the records are
// those of the audit trail, and a token is shown by its name and fp6.
//
// # What it protects against
//
// A script in a page reads what a person types into it. So the page has an origin of its
// own (caddymodule refuses any other handler there), its own scripts, no code in the HTML, and
// a Content-Security-Policy that allows nothing else. All data become text nodes. The
// token is in a variable of the script, and in no cookie, storage or address.
//
// # Index
//
//   - caddyfile.go the directive, page.go the handler, files.go and files/ what is public
//   - live.go the stream of everything, send.go its events, readers.go how many may read
//   - upstream.go, fleet.go and events.go what the orchestrator says
package page
