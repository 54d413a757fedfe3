package caddymodule

import (
	"runtime/debug"

	"github.com/llorch/gateway/authmin/gcpace"
)

// caddyPrograms are the main packages of programs that are Caddy and nothing else:
// llorch, Caddy's own, and what xcaddy builds.
var caddyPrograms = map[string]bool{
	"github.com/llorch/gateway/caddymodule/cmd/llorch": true,
	"github.com/caddyserver/caddy/v2/cmd/caddy":        true,
	"caddy": true,
}

// choosePace sets the pace of the garbage collector in a process that is Caddy's. A program
// that only embeds Caddy may have a heap of another kind, and keeps its own pace. The limit
// replaces the one that Caddy sets when it starts, nine tenths of the memory.
func choosePace() {
	if info, ok := debug.ReadBuildInfo(); ok && caddyPrograms[info.Path] {
		gcpace.Choose()
	}
}
