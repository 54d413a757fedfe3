package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// ReloadNotes lists the secrets of a configuration that a reload cannot change, one line
// each: systemd copies a credential when the service starts, and a process keeps its
// environment. A configuration that cannot be read has none; the reload reports that.
func ReloadNotes(config string) []string {
	s, err := readSettings(config)
	if err != nil {
		return nil
	}
	var notes []string
	for _, source := range (&doctor{settings: s}).sources() {
		kind, name, err := caddymodule.SplitSource(source.source)
		switch {
		case err != nil:
		case kind == "credential", kind == "file" && (strings.HasPrefix(name, "/run/credentials/") || authmin.IsCredential(os.LookupEnv, name)):
			notes = append(notes, fmt.Sprintf("%s: the credential %s was copied by systemd when the service started; if it has changed: systemctl restart", source.what, name))
		case kind == "env":
			notes = append(notes, fmt.Sprintf("%s: the environment variable %s stays as it was when the service started; if it has changed: systemctl restart", source.what, name))
		}
	}
	return notes
}
