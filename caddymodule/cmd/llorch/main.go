// Command llorch is Caddy with the authmin module built in, and `up`: gateway,
// orchestrator, pool manager and engine in one process on loopback.
//
//	llorch up
//	llorch run --config Caddyfile
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/llorch/gateway/caddymodule"
)

func main() {
	caddycmd.Main()
}
