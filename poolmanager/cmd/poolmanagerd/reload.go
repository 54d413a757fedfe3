package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager"
)

// reloader takes up what can change while the daemon runs: the files of tokens by
// itself, and everything that can be reloaded on HUP. Engines and requests under
// way are not touched.
type reloader struct {
	path    string
	lookup  func(string) (string, bool)
	started file // what the daemon runs with, but for its log level
	sources sources
	service *poolmanager.Service
	level   *slog.LevelVar
	log     *slog.Logger
	watch   *authmin.SecretWatch
}

// run watches until ctx ends.
func (r *reloader) run(ctx context.Context, hangUps <-chan os.Signal) {
	r.watch = authmin.NewSecretWatch(r.sources.all(), func(next func(*authmin.SecretSource) authmin.Secret) error {
		return r.service.SetTokens(r.sources.tokens(next))
	}, r.report)
	r.watch.CheckMounts()
	ticker := time.NewTicker(authmin.SecretInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.watch.Look()
		case <-hangUps:
			r.reload()
		}
	}
}

// report says what became of a token's file.
func (r *reloader) report(e authmin.SecretEvent) {
	log := r.log.With("source", e.Source.Name(), "path", e.Source.Path())
	if e.Err != nil {
		r.service.SourceFailed(e.Source.Kind())
		log.Error("token not loaded; the last good one stays in use", "error", e.Err)
		return
	}
	log.Info("token loaded", "fp6", e.Source.Secret().Fingerprint())
}

// reload is what HUP asks for. It says what is in use now and what needs a restart.
func (r *reloader) reload() {
	r.watch.ReadAll()
	reloaded, failed := []string{"tokens in files"}, []string{}
	restart := authmin.RestartOnly(r.lookup, r.sources.all()...)
	level := slog.LevelInfo
	now, err := settingsOf(r.path, r.lookup)
	if err != nil {
		failed, level = append(failed, "configuration: "+err.Error()), slog.LevelError
	} else {
		wanted, _ := parseLevel(now.LogLevel) // checked by settingsOf
		r.level.Set(wanted)
		reloaded = append(reloaded, "log_level "+wanted.String())
		restart = append(restart, changedKeys(r.started, now)...)
	}
	r.log.Log(context.Background(), level, "reloaded", "reloaded", reloaded, "needs_restart", restart, "failed", failed)
}

// settingsOf reads the file and the environment, and checks them as a start does.
func settingsOf(path string, lookup func(string) (string, bool)) (file, error) {
	f, where := file{}, &places{path: path, fromEnv: map[string]string{}}
	if path != "" {
		var err error
		if f, where.root, err = readFile(path); err != nil {
			return f, err
		}
	}
	if err := f.override(where, lookup); err != nil {
		return f, err
	}
	if _, err := parseLevel(f.LogLevel); err != nil {
		return f, err
	}
	_, _, err := load(path, lookup)
	return f, err
}

// changedKeys are the keys whose value is another one now and that only a restart
// takes up.
func changedKeys(was, is file) []string {
	was.LogLevel = is.LogLevel
	var changed []string
	before, after := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range before.NumField() {
		if !reflect.DeepEqual(before.Field(i).Interface(), after.Field(i).Interface()) {
			changed = append(changed, before.Type().Field(i).Tag.Get("yaml"))
		}
	}
	return changed
}

// parseLevel reads the key log_level; nothing is info.
func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	switch text {
	case "":
		return slog.LevelInfo, nil
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(text))
	}
	return level, fmt.Errorf("log_level: want debug, info, warn or error (POOL_MANAGERD_LOG_LEVEL)")
}
