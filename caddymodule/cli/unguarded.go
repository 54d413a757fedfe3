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

// WarnOfNoGuard says which services a configuration without any guard serves to
// everybody. Where there is a guard, its app says so in the log; where there is none,
// no part of authmin is loaded. What cannot be read, the command itself complains of.
func WarnOfNoGuard(path string, people io.Writer) {
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
			_, _ = fmt.Fprintf(people, "warning: no authmin guard covers this %s %v: it serves %s to everybody; write `authmin { ... }` before it\n", seen.Name, seen.Upstreams(), seen.Serves())
		}
	}
}
