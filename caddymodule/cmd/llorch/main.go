// Command llorch is Caddy with the authmin module built in, and `up`: gateway,
// orchestrator, pool manager and engine in one process on loopback.
//
//	llorch up
//	llorch run --config Caddyfile
package main

import (
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/llorch/gateway/caddymodule"
)

func main() {
	// Not a command of Caddy's: the engine starts fast, and takes nothing of Caddy's
	// with it.
	if len(os.Args) > 1 && os.Args[1] == demoEngineCommand {
		os.Exit(runDemoEngine(os.Args[2:]))
	}
	caddy.CustomBinaryName = "llorch"
	if code, is := runTold(os.Args[1:]); is {
		os.Exit(code)
	}
	caddycmd.Main()
}
