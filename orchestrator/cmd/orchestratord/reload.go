package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/store"
)

// reloader takes up what can change while the daemon runs: the files of tokens by
// itself, and everything that can be reloaded on HUP. Requests under way are not
// touched.
type reloader struct {
	file    string
	lookup  func(string) (string, bool)
	started config // what the daemon runs with, but for its log level
	secrets secrets
	service *app.Service
	level   *slog.LevelVar
	log     *slog.Logger
	watch   *authmin.SecretWatch
}

// run watches until ctx ends.
func (r *reloader) run(ctx context.Context, hangUps <-chan os.Signal) {
	r.watch = authmin.NewSecretWatch(r.secrets.all(), func(next func(*authmin.SecretSource) authmin.Secret) error {
		return r.service.SetTokens(r.secrets.tokens(next))
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
	restart := authmin.RestartOnly(r.lookup, r.secrets.all()...)
	switch err := r.service.ReloadCertificates(); {
	case errors.Is(err, store.ErrNeedsRestart):
		reloaded, restart = append(reloaded, "cluster certificate"), append(restart, "cluster_ca")
	case err != nil:
		failed = append(failed, "cluster certificate: "+err.Error())
	case r.started.ClusterCert != "":
		reloaded = append(reloaded, "cluster certificate")
	}
	now, _, err := readConfig(r.file, r.lookup)
	if err != nil {
		failed = append(failed, "configuration: "+err.Error())
	} else {
		level, _ := parseLevel(now.LogLevel) // checked by readConfig
		r.level.Set(level)
		reloaded = append(reloaded, "log_level "+level.String())
		restart = append(restart, changedKeys(r.started, now)...)
	}
	level := slog.LevelInfo
	if len(failed) > 0 {
		level = slog.LevelError
	}
	r.log.Log(context.Background(), level, "reloaded", "reloaded", reloaded, "needs_restart", restart, "failed", failed)
}

// changedKeys are the keys whose value is another one now and that only a restart
// takes up.
func changedKeys(was, is config) []string {
	was.LogLevel = is.LogLevel
	var changed []string
	before, after := reflect.ValueOf(was), reflect.ValueOf(is)
	for i, key := range keys() {
		if !reflect.DeepEqual(before.Field(i).Interface(), after.Field(i).Interface()) {
			changed = append(changed, key)
		}
	}
	return changed
}

// parseLevel reads the key log_level.
func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	switch text {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(text))
	}
	return level, badKey("log_level", "is not debug, info, warn or error")
}
