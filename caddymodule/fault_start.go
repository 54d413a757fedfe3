package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// maxOpenWarnings bounds the unguarded handlers that one start logs.
const maxOpenWarnings = 16

// refusedConfiguration is the start of the error about faults, which lint lists one by one.
const refusedConfiguration = "configuration refused"

// errNoConfiguration refuses a Caddy whose configuration cannot be checked.
var errNoConfiguration = errors.New("cannot read the configuration in this version of Caddy; build with the version in go.mod")

// configOf returns the whole configuration that is being loaded. Caddy keeps it private:
// a module gets only its own part. Caddy clears an app's part when the whole app is
// provisioned; a guard is provisioned as a part of app http.
func configOf(ctx caddy.Context) (*Config, error) {
	field := reflect.ValueOf(ctx).FieldByName("cfg")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*caddy.Config]() {
		return nil, errNoConfiguration
	}
	if field.IsNil() { // a module on its own, without a configuration to check
		return DecodeConfig(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	}
	config := (*caddy.Config)(field.UnsafePointer())
	shown := &caddy.Config{Admin: config.Admin, Logging: config.Logging, AppsRaw: caddy.ModuleMap{}}
	for name, raw := range config.AppsRaw {
		if len(raw) > 0 { // otherwise the app is provisioned already, or has only defaults
			shown.AppsRaw[name] = raw
		}
	}
	return DecodeConfig(shown)
}

// checkFaults refuses a configuration that bypasses its guards. It logs the other errors
// of lint, and the warnings about exposure to other machines.
func (a *App) checkFaults(ctx caddy.Context) error {
	c, err := configOf(ctx)
	if err != nil {
		return err
	}
	a.hasPage = c.hasPage()
	faults := c.Faults()
	if err := refusalOf(faults); err != nil {
		return fmt.Errorf("%s: %w", refusedConfiguration, err)
	}
	for _, f := range faults {
		if !f.IsWarning() || f.Server == "" {
			a.log.Warn(f.Text, zap.String("server", f.Server))
		}
	}
	found := c.Coverage()
	a.warnUnguarded(found)
	a.unguarded = c.unguarded(found)
	in := inspect(c)
	a.hasUsage = in.hasUsage()
	a.warnReadable(in.sourcesOfTokens())
	return nil
}

// IsRefusal reports whether a start failed because of faults of the configuration, which
// lint lists one by one. Caddy keeps only the text of a module's error.
func IsRefusal(err error) bool {
	return err != nil && strings.Contains(err.Error(), refusedConfiguration)
}

// warnUnguarded logs the services that can be reached without a guard. It refuses
// nothing: some are public by intent.
func (a *App) warnUnguarded(found *Coverage) {
	logged := 0
	for _, seen := range found.Open {
		if !seen.ReachesService() {
			continue
		}
		if logged++; logged > maxOpenWarnings {
			a.log.Warn("more handlers have no guard; `authmin lint` lists them all")
			return
		}
		a.log.Warn(fmt.Sprintf("no authmin guard covers this %s: it serves %s to every client", seen.Name, seen.Serves()),
			zap.String("server", seen.Server), zap.Bool("error_routes", seen.InErrorRoutes), zap.Strings("upstreams", seen.Upstreams()))
	}
}

// warnReadable logs the token files that other users of this machine can read. A file in
// a directory that they cannot enter is fine: container platforms mount secrets that way.
func (a *App) warnReadable(sources []string) {
	for _, source := range sources {
		path, isFile := strings.CutPrefix(source, "file.")
		if !isFile {
			continue
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&otherRead != 0 && !InPrivateTree(path) {
			a.log.Warn(fmt.Sprintf("every user of this machine can read the token in %s; run: chmod o-rwx %s", path, path))
		}
	}
}

// Mode bits that open a file to every user of the machine.
const (
	otherRead  os.FileMode = 0o004
	otherWrite os.FileMode = 0o002
	otherEnter os.FileMode = 0o001
)

// InPrivateTree reports whether other users cannot enter some directory above path.
// Container platforms mount secrets as world-readable files in such a directory.
func InPrivateTree(path string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	for err == nil && dir != filepath.Dir(dir) {
		info, statErr := os.Stat(dir)
		if statErr == nil && info.Mode().Perm()&otherEnter == 0 {
			return true
		}
		dir = filepath.Dir(dir)
	}
	return false
}
