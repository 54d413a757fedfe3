package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// ofModules matches what Caddy puts before a module's own error.
var ofModules = regexp.MustCompile(`(?s)^.*(?:provision [a-z0-9_.]+|[a-z0-9_.]+: invalid configuration): `)

// validate loads the configuration as `caddy validate` does: everything is provisioned,
// no port is opened, and no log of the configuration is written to. It leaves out faults
// that lint reports.
func (s *settings) validate(h host) error {
	raw, err := json.Marshal(s.Caddy)
	if err != nil {
		return fmt.Errorf("encoding configuration: %w", err)
	}
	var config *caddy.Config
	if err := caddy.StrictUnmarshalJSON(caddy.RemoveMetaFields(raw), &config); err != nil {
		return fmt.Errorf("decoding configuration: %w", err)
	}
	if config.Logging == nil {
		config.Logging = new(caddy.Logging)
	}
	if config.Logging.Logs == nil {
		config.Logging.Logs = map[string]*caddy.CustomLog{}
	}
	if config.Logging.Logs[caddy.DefaultLoggerName] == nil {
		config.Logging.Logs[caddy.DefaultLoggerName] = new(caddy.CustomLog)
	}
	for _, log := range config.Logging.Logs {
		log.WriterRaw = json.RawMessage(`{"output":"discard"}`)
	}
	defer s.standIns(h)()
	err = caddy.Validate(config)
	if err == nil || caddymodule.IsRefusal(err) {
		return nil
	}
	return errors.New("it does not start: " + withoutExpanded(errors.New(ofModules.ReplaceAllString(err.Error(), "")), nil))
}

// standIns sets a random token for each variable and each credential of systemd that a
// secret comes from and that is missing here, so that the rest can be checked. It returns
// a function that removes them.
func (s *settings) standIns(h host) func() {
	var set, credentials []string
	d := doctor{host: h, settings: s}
	for _, source := range d.sources() {
		kind, name, err := caddymodule.SplitSource(source.source)
		switch _, known := h.getenv(name); {
		case err != nil:
		case kind == "credential" && !d.hasCredentials():
			credentials = append(credentials, name)
		case kind == "env" && !known && os.Setenv(name, authmin.RandomSecret().Reveal()) == nil:
			set = append(set, name)
		}
	}
	dir := standInCredentials(credentials)
	if dir != "" && os.Setenv(credentialsDirectory, dir) == nil {
		set = append(set, credentialsDirectory)
	}
	return func() {
		for _, name := range set {
			_ = os.Unsetenv(name)
		}
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// standInCredentials makes a directory with a random token for each name. It returns ""
// when that fails; the start then reports the missing credential.
func standInCredentials(names []string) string {
	if len(names) == 0 {
		return ""
	}
	dir, err := os.MkdirTemp("", "llorch-check-")
	if err != nil {
		return ""
	}
	for _, name := range names {
		if os.WriteFile(filepath.Join(dir, name), []byte(authmin.RandomSecret().Reveal()), 0o600) != nil {
			_ = os.RemoveAll(dir)
			return ""
		}
	}
	return dir
}

// examineAdminSocket checks the directories of the admin socket. lint checks the
// endpoint's address.
func (d *doctor) examineAdminSocket() {
	admin := d.settings.Caddy.Admin
	if admin == nil || admin.Disabled {
		return
	}
	if path, ok := strings.CutPrefix(admin.Listen, "unix/"); ok {
		path, _, _ = strings.Cut(path, "|")
		d.examineTree(path, "the admin socket")
	}
}
