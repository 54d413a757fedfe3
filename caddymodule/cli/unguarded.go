package cli

import (
	"fmt"
	"io"
	"os"
)

// defaultCaddyfile is what Caddy reads when no configuration is named.
const defaultCaddyfile = "Caddyfile"

// maxUnguarded bounds the proxies without a guard that one warning names.
const maxUnguarded = 16

// WarnOfNoGuard names the services that a configuration without any guard serves to every
// client. With a guard, the app logs this when it starts; without one, no part of authmin
// is loaded. It ignores a configuration that cannot be read: the command reports that.
func WarnOfNoGuard(path string, stderr io.Writer) {
	if path == "" {
		path = defaultCaddyfile
	}
	if _, err := os.Stat(path); err != nil {
		return
	}
	s, err := readSettings(path)
	if err != nil {
		return
	}
	found := s.Coverage()
	if len(found.Guards) > 0 || s.App.Configured() {
		return
	}
	said := 0
	for _, seen := range found.Open {
		if seen.ReachesService() && said < maxUnguarded {
			said++
			_, _ = fmt.Fprintf(stderr, "warning: no authmin guard covers this %s %v: it serves %s to every client; write `authmin { ... }` before it\n", seen.Name, seen.Upstreams(), seen.Serves())
		}
	}
}
