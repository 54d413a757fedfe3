package trail

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	// NoReserve disables the reserve.
	NoReserve = -1

	// defaultReserve has space for some 100,000 records.
	defaultReserve = 64 << 20
	// smallDisk is the part of a small file system that the default takes: a quarter.
	smallDisk = 4
)

// reserve keeps clients without a token from filling a disk. While less than the
// reserve is free, expendable records are dropped, and counted as dropped.
type reserve struct {
	log     func() *slog.Logger
	setting atomic.Int64 // in bytes; 0 for the default
	left    atomic.Int64 // bytes that expendable records may still take
	low     atomic.Bool
}

// newReserve returns a reserve that accepts all records until the disk is measured.
func newReserve(log func() *slog.Logger) *reserve {
	r := &reserve{log: log}
	r.left.Store(math.MaxInt64)
	return r
}

// measure determines how much of the file's disk is free. Queued bytes count as used. A
// device has no disk.
func (r *reserve) measure(f *os.File, waiting int) {
	var disk syscall.Statfs_t
	info, err := f.Stat()
	setting := r.setting.Load()
	if err != nil || !info.Mode().IsRegular() || setting == NoReserve || syscall.Fstatfs(int(f.Fd()), &disk) != nil {
		r.left.Store(math.MaxInt64)
		return
	}
	free, size := diskBytes(disk.Bavail, int64(disk.Bsize)), diskBytes(disk.Blocks, int64(disk.Bsize))
	if setting == 0 {
		setting = min(defaultReserve, size/smallDisk)
	}
	r.left.Store(free - setting - int64(waiting))
	if r.left.Load() > 0 && r.low.CompareAndSwap(true, false) {
		r.log().Info("the audit file's disk is above its reserve: refusals are recorded again", "path", f.Name())
	}
}

// diskBytes is blocks × size, at most what fits.
func diskBytes(blocks uint64, size int64) int64 {
	if size <= 0 || blocks > uint64(math.MaxInt64/size) {
		return math.MaxInt64
	}
	return int64(blocks) * size
}

// spend reports whether an expendable record of so many bytes may be written.
func (r *reserve) spend(bytes int) bool {
	if r.left.Load() == math.MaxInt64 { // not measured, or no reserve
		return true
	}
	if r.left.Add(-int64(bytes+chainSize)) >= 0 {
		return true
	}
	if r.low.CompareAndSwap(false, true) {
		r.log().Warn("the audit file's disk is down to its reserve: refusals, and requests on public routes, are not recorded until there is room")
	}
	return false
}

// ErrReserve says what [ParseReserve] reads.
var ErrReserve = errors.New("want reserve and a size such as 64MiB, or reserve off")

// ParseReserve reads the argument of [Sink.SetReserve]: a size as [ParseSize] reads it, or
// off.
func ParseReserve(text string) (int64, error) {
	if text == "off" {
		return NoReserve, nil
	}
	size, ok := ParseSize(text)
	if !ok {
		return 0, ErrReserve
	}
	return size, nil
}

// ParseSize reads a size in bytes above 0, with a unit such as KiB or MB, or without.
func ParseSize(text string) (size int64, ok bool) {
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
			return 0, false
		}
		return n * unit.size, true
	}
	return 0, false
}
