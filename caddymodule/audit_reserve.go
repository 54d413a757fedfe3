package caddymodule

import (
	"errors"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

const (
	// defaultReserve is what an audit file leaves of its disk to the records of
	// requests that an identity was let in with: some 100,000 of them.
	defaultReserve = 64 << 20
	// smallDisk is what the default takes of a file system that is too small for
	// it: a quarter.
	smallDisk = 4
	// noReserve is the setting that keeps nothing.
	noReserve = -1
)

// diskReserve keeps strangers from filling a disk. Refusals, and requests on public
// routes, cost their sender nothing: their records are dropped, and counted
// as dropped, while less than the reserve is free.
type diskReserve struct {
	setting atomic.Int64 // in bytes; 0 for the default, [noReserve] for none
	left    atomic.Int64 // what strangers' records may still take
	low     atomic.Bool
}

func newDiskReserve() *diskReserve {
	r := new(diskReserve)
	r.left.Store(math.MaxInt64)
	return r
}

// look sees how much of the file's disk is free. What waits in memory is on its way
// there. A device has no disk.
func (r *diskReserve) look(f *os.File, waiting int) {
	var disk syscall.Statfs_t
	info, err := f.Stat()
	setting := r.setting.Load()
	if err != nil || !info.Mode().IsRegular() || setting == noReserve || syscall.Fstatfs(int(f.Fd()), &disk) != nil {
		r.left.Store(math.MaxInt64)
		return
	}
	free, size := diskBytes(disk.Bavail, int64(disk.Bsize)), diskBytes(disk.Blocks, int64(disk.Bsize))
	if setting == 0 {
		setting = min(defaultReserve, size/smallDisk)
	}
	r.left.Store(free - setting - int64(waiting))
	if r.left.Load() > 0 && r.low.CompareAndSwap(true, false) {
		caddy.Log().Named("authmin").Info("the audit file's disk is above its reserve: refusals are recorded again", zap.String("path", f.Name()))
	}
}

// diskBytes is blocks × size, at most what fits.
func diskBytes(blocks uint64, size int64) int64 {
	if size <= 0 || blocks > uint64(math.MaxInt64/size) {
		return math.MaxInt64
	}
	return int64(blocks) * size
}

// take reports whether a stranger's record of so many bytes may be written.
func (r *diskReserve) take(bytes int) bool {
	if r.left.Load() == math.MaxInt64 { // there is no bound
		return true
	}
	if r.left.Add(-int64(bytes+chainRoom)) >= 0 {
		return true
	}
	if r.low.CompareAndSwap(false, true) {
		caddy.Log().Named("authmin").Warn("the audit file's disk is down to its reserve: refusals, and requests on public routes, are not recorded until there is room")
	}
	return false
}

var errReserve = errors.New("want reserve and a size such as 64MiB, or reserve off")

// parseReserve reads a size in bytes, with a unit or without.
func parseReserve(text string) (int64, error) {
	if text == "off" {
		return noReserve, nil
	}
	units := []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64/unit.size {
			return 0, errReserve
		}
		return n * unit.size, nil
	}
	return 0, errReserve
}
