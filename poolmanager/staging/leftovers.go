package staging

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// partialMaxAge is how long an unused partial file, or a kept catalog record, stays:
// a week, so that a download survives a weekend's outage.
const partialMaxAge = 7 * 24 * time.Hour

// removeLeftovers removes partial files older than partialMaxAge that no process has
// locked, and sidecars without a file.
func (s *Stager) removeLeftovers(now time.Time) {
	entries, err := os.ReadDir(s.stagingDir())
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || now.Sub(info.ModTime()) < partialMaxAge {
			continue
		}
		path := filepath.Join(s.stagingDir(), entry.Name())
		if hex, ok := strings.CutSuffix(entry.Name(), ".ok"); ok && sizeOf(filepath.Join(s.Root, hex)) > 0 {
			continue // it saves hashing a staged file at each start
		}
		var record catalogModel
		if strings.HasPrefix(entry.Name(), "id-") && readJSON(path, &record) == nil && modelref.ValidDigest(record.Digest) && sizeOf(s.finalPath(record.hex())) > 0 {
			continue // it lets a node start without its orchestrator
		}
		if strings.HasSuffix(entry.Name(), ".part") && s.inUse(path) {
			continue
		}
		if err := os.Remove(path); err == nil {
			s.Log.Info("removed stale staging file", "path", path)
		}
	}
}

func (s *Stager) inUse(path string) bool {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
