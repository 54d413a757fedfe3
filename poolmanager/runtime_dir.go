package poolmanager

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/llorch/gateway/poolmanager/proc"
)

// orphanGrace is how long an engine of an earlier run may take to stop before it is
// killed: its callers are gone.
const orphanGrace = time.Second

// runtimeDir keeps the process records and keys of one pool manager for its next run.
// One running pool manager at a time holds its lock.
type runtimeDir struct {
	path string
	id   string // marks every process that was started for this directory
	lock *os.File
}

// record says which process runs a pool's engine.
type record struct {
	PoolID string        `json:"pool_id"`
	Marker string        `json:"marker"`
	Proc   proc.Identity `json:"process"`
}

// openRuntimeDir locks the directory and makes it private.
func openRuntimeDir(path string) (*runtimeDir, error) {
	if path == "" {
		return nil, errors.New("opening the runtime directory: none is configured (POOL_MANAGERD_RUNTIME_DIR)")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the runtime directory: %w", err)
	}
	for _, dir := range []string{path, filepath.Join(path, "keys"), filepath.Join(path, "processes")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("opening the runtime directory: %w", err)
		}
		if err := checkPrivate(dir); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the runtime directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("locking the runtime directory: another pool manager uses %s", path)
	}
	id, err := directoryID(filepath.Join(path, "id"))
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &runtimeDir{path: path, id: id, lock: lock}, nil
}

// checkPrivate refuses a directory that others could change: they could put a
// key or a record there.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("checking the runtime directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("checking the runtime directory: %s is not a directory", dir)
	case !ok || int(stat.Uid) != os.Getuid():
		return fmt.Errorf("checking the runtime directory: %s belongs to another user", dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("checking the runtime directory: others may write to %s; run chmod 700", dir)
	}
	return nil
}

func directoryID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil && len(text) >= 16 && len(text) <= 64 && !strings.ContainsAny(string(text), "/\x00\n") {
		return string(text), nil
	}
	id := rand.Text()
	if err := os.WriteFile(path, []byte(id), 0o600); err != nil {
		return "", fmt.Errorf("naming the runtime directory: %w", err)
	}
	return id, nil
}

// marker names the processes of one pool.
func (d *runtimeDir) marker(poolID string) string { return d.id + "/" + poolID + "/" }

func (d *runtimeDir) keyPath() string { return filepath.Join(d.path, "keys", rand.Text()) }

func (d *runtimeDir) recordPath(poolID string) string {
	return filepath.Join(d.path, "processes", poolID+".json")
}

// remember writes a pool's record; without it the engine must not run.
func (d *runtimeDir) remember(r record) error {
	encoded, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recording the engine: %w", err)
	}
	path := d.recordPath(r.PoolID)
	if err := os.WriteFile(path+".new", encoded, 0o600); err != nil {
		return fmt.Errorf("recording the engine: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("recording the engine: %w", err)
	}
	return nil
}

func (d *runtimeDir) forget(poolID string) {
	_ = os.Remove(d.recordPath(poolID)) // a stale record names a process that is gone
}

// endLeftovers ends the processes of a killed earlier run: the recorded engines with
// their groups, then every process with this directory's marker.
func (d *runtimeDir) endLeftovers(ctx context.Context, log *slog.Logger) {
	// Not only *.json: one that was being written has another name.
	files, err := filepath.Glob(filepath.Join(d.path, "processes", "*"))
	if err != nil {
		files = nil
	}
	var group sync.WaitGroup
	for _, file := range files {
		text, err := os.ReadFile(file)
		var r record
		if err == nil && json.Unmarshal(text, &r) == nil && r.Proc.Alive() {
			log.Warn("stopping an engine of an earlier run", "pool_id", r.PoolID, "pid", r.Proc.PID)
			group.Go(func() { r.Proc.End(ctx, orphanGrace) })
		}
		_ = os.Remove(file)
	}
	group.Wait()
	if n := proc.EndMarked(d.id + "/"); n > 0 {
		log.Warn("killed orphaned engine processes of an earlier run", "count", n)
	}
	keys := filepath.Join(d.path, "keys")
	if err := os.RemoveAll(keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("could not remove key files of an earlier run", "error", err)
	}
	if err := os.MkdirAll(keys, 0o700); err != nil {
		log.Warn("could not make the directory for key files", "error", err)
	}
}

func (d *runtimeDir) close() { d.lock.Close() }
