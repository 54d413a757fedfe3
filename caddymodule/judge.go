package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// maxOpenWarnings bounds the proxies without a guard that one start names.
const maxOpenWarnings = 16

// refusedConfiguration begins what a start says of faults that lint names one by one.
const refusedConfiguration = "configuration refused"

// errNoConfiguration: what cannot be seen cannot be judged.
var errNoConfiguration = errors.New("this version of Caddy does not show its modules the configuration, so that authmin cannot judge it; build with the version that go.mod names")

// configOf is the whole configuration that is being loaded. Caddy keeps it private:
// a module is shown its own part. An app's part is there until all of the app is
// provisioned, and a guard is provisioned in the middle of app http.
func configOf(ctx caddy.Context) (*Config, error) {
	field := reflect.ValueOf(ctx).FieldByName("cfg")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*caddy.Config]() {
		return nil, errNoConfiguration
	}
	if field.IsNil() { // a module by itself: there is nothing that it could guard
		return DecodeConfig(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	}
	config := (*caddy.Config)(field.UnsafePointer())
	shown := &caddy.Config{Admin: config.Admin, Logging: config.Logging, AppsRaw: caddy.ModuleMap{}}
	for name, raw := range config.AppsRaw {
		if len(raw) > 0 { // otherwise it is provisioned, or takes its defaults
			shown.AppsRaw[name] = raw
		}
	}
	return DecodeConfig(shown)
}

// judge refuses a configuration that gives away what its guards protect, and warns of
// what else lint would call an error or a danger from outside.
func (a *App) judge(ctx caddy.Context) error {
	c, err := configOf(ctx)
	if err != nil {
		return err
	}
	faults := c.Faults()
	if err := refusalOf(faults); err != nil {
		return fmt.Errorf("%s: %w", refusedConfiguration, err)
	}
	for _, f := range faults {
		if !f.IsWarning() || f.Server == "" {
			a.log.Warn(f.Text, zap.String("server", f.Server))
		}
	}
	a.warnOfOpen(c.Coverage())
	a.warnOfReadable(inspect(c).sourcesOfTokens())
	return nil
}

// IsRefusal reports whether a start ended because the configuration has faults of its
// own, which lint names one by one. Caddy keeps the text of a module's error and drops
// the error itself.
func IsRefusal(err error) bool {
	return err != nil && strings.Contains(err.Error(), refusedConfiguration)
}

// warnOfOpen says which services are reached past all guards. The start goes on: some
// are meant to be.
func (a *App) warnOfOpen(found *Coverage) {
	said := 0
	for _, seen := range found.Open {
		if !seen.ReachesService() {
			continue
		}
		if said++; said > maxOpenWarnings {
			a.log.Warn("more handlers have no guard; `authmin lint` names them all")
			return
		}
		a.log.Warn(fmt.Sprintf("no authmin guard covers this %s: it serves %s to every client", seen.Name, seen.Serves()),
			zap.String("server", seen.Server), zap.Bool("error_routes", seen.InErrorRoutes), zap.Strings("upstreams", seen.Upstreams()))
	}
}

// warnOfReadable says which files of tokens other users of this machine can read. A
// directory that keeps them out is enough: so container platforms mount secrets.
func (a *App) warnOfReadable(sources []string) {
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
