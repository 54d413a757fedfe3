package staging

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// diskReserve is what staging leaves free on the disk of the model root, for logs,
// caches and an engine's own temporary files.
const diskReserve = 1 << 30

// errDiskFull says that the disk is full; the partial file stays for a resume.
var errDiskFull = errors.New("not enough disk space for the model root")

// diskQuota reserves free space for running downloads: the bytes that they have yet to
// write count as used.
type diskQuota struct {
	free func(dir string) (int64, error)

	mu      sync.Mutex
	flights map[*flight]bool
}

// claim reserves the bytes that a download has yet to write, by its done and total. A
// download of unknown length reserves none, and is bounded by check while it writes.
func (q *diskQuota) claim(dir string, f *flight) error {
	free, err := q.free(dir)
	if err != nil {
		return fmt.Errorf("measuring the disk: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	wanted := f.left()
	promised := int64(0)
	for other := range q.flights {
		if other != f {
			promised += other.left()
		}
	}
	if free-promised-wanted < diskReserve {
		return fmt.Errorf("%w: %d MiB to write, %d MiB free, of which %d MiB are reserved by downloads and %d MiB must stay free",
			errDiskFull, wanted>>20, free>>20, promised>>20, int64(diskReserve)>>20)
	}
	q.flights[f] = true
	return nil
}

func (q *diskQuota) release(f *flight) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.flights, f)
}

// check is called while writing: other programs use the disk, too.
func (q *diskQuota) check(dir string) error {
	free, err := q.free(dir)
	if err != nil {
		return fmt.Errorf("measuring the disk: %w", err)
	}
	if free < diskReserve {
		return fmt.Errorf("%w: %d MiB are free, and %d MiB must stay free", errDiskFull, free>>20, int64(diskReserve)>>20)
	}
	return nil
}

func (f *flight) left() int64 { return max(f.total.Load()-f.done.Load(), 0) }

// freeBytes is what an ordinary user may still write on the disk of dir.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
