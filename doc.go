// Package gateway is the module that xcaddy builds into Caddy:
//
//	xcaddy build v2.11.9 --with github.com/llorch/gateway@v0.0.0=.
//
// It has no code of its own. The decisions are in authmin, their place in Caddy
// in caddymodule, the `authmin` commands in caddymodule/cli, and the page of `authmin_page`
// in caddymodule/page.
package gateway

import (
	_ "github.com/llorch/gateway/caddymodule"      // registers the module with Caddy
	_ "github.com/llorch/gateway/caddymodule/cli"  // registers the authmin commands
	_ "github.com/llorch/gateway/caddymodule/page" // registers authmin_page
)
