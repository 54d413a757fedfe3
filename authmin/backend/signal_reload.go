package backend

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Reloader is a [Service] that reloads more than secrets and the log level.
type Reloader interface {
	// Reload reports what is in use now, what needs a restart, and what failed.
	Reload() (reloaded, needsRestart, failed []string)
}

// reloader takes up what may change while a daemon runs: secrets in files within a
// second, and everything that can be reloaded on SIGHUP. It disturbs no request.
type reloader struct {
	program Program
	file    string
	lookup  Lookup
	started *reading
	sources []*authmin.SecretSource
	service Service
	level   *slog.LevelVar
	log     *slog.Logger
	watch   *authmin.SecretWatch
}

// run watches until ctx ends.
func (r *reloader) run(ctx context.Context, hangUps <-chan os.Signal) {
	r.watch = authmin.NewSecretWatch(r.sources, r.service.SetSecrets, r.report)
	r.watch.CheckMounts()
	var looks <-chan time.Time // never, where no credential is in a file
	if r.watch.HasFiles() {
		ticker := time.NewTicker(authmin.SecretInterval)
		defer ticker.Stop()
		looks = ticker.C
	}
	for {
		r.service.SecretsUnusable(r.watch.Unusable())
		select {
		case <-ctx.Done():
			return
		case <-looks:
			r.watch.Look()
		case <-hangUps:
			r.reload()
		}
	}
}

// report logs the result of reading a secret's file.
func (r *reloader) report(e authmin.SecretEvent) {
	log := r.log.With("source", e.Source.Name(), "path", e.Source.Path())
	if e.Err != nil {
		r.service.SecretFailed(e.Source.Kind())
		log.Error("token not loaded; the last good one stays in use", "error", e.Err)
		return
	}
	log.Info("token loaded", "fp6", e.Source.Secret().Fingerprint())
}

// reload is what SIGHUP asks for. It logs what is in use now and what needs a restart.
func (r *reloader) reload() {
	r.watch.ReadAll()
	reloaded, failed := []string{"tokens in files"}, []string{}
	restart := authmin.RestartOnly(r.lookup, r.sources...)
	if more, ok := r.service.(Reloader); ok {
		now, later, wrong := more.Reload()
		reloaded, restart, failed = append(reloaded, now...), append(restart, later...), append(failed, wrong...)
	}
	now, err := r.program.read(r.file, r.lookup)
	if err != nil {
		failed = append(failed, "configuration: "+err.Error())
	} else {
		r.level.Set(now.level)
		reloaded = append(reloaded, "log_level "+now.level.String())
		restart = append(restart, now.settings.Changed(r.started.settings)...)
	}
	level := slog.LevelInfo
	if len(failed) > 0 {
		level = slog.LevelError
	}
	r.log.Log(context.Background(), level, "reloaded", "reloaded", reloaded, "needs_restart", restart, "failed", failed)
}
