package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// auditFileMode: the trail says who asks for what, and that is nobody else's
// business.
const auditFileMode os.FileMode = 0o600

// Why a record about the trail itself was written.
const (
	causeCreated    = "created"    // a new chain
	causeContinued  = "continued"  // a new file; the chain goes on from the last one
	causeRestarted  = "restarted"  // after a clean stop
	causeUnclosed   = "unclosed"   // after a stop that left no checkpoint: a crash, or a cut tail
	causeBehind     = "behind"     // the file ends before the sealed head: a cut tail
	causeUnverified = "unverified" // the end of the file is not of this chain
	causeRotated    = "rotated"    // the file was renamed
	causeDeleted    = "deleted"    // the file was deleted
	causeTruncated  = "truncated"  // the file was cut while it was written: copied and truncated, or tampered with
	causePeriodic   = "periodic"
	causeClosed     = "closed"
)

// auditFile is the output that appends to one file. It is the file's only
// writer: a lock keeps other processes out.
type auditFile struct {
	path  string
	chain *chain // nil without a key

	f       *os.File
	size    int64  // where our last write ended
	torn    int    // bytes of a torn line that the next write has to end
	opening string // why, when the next write has to say so first
	buf     []byte

	room *diskReserve // told how much is free

	openFile func(path string) (*os.File, error) // replaced by tests
}

func newAuditFile(path string, key authmin.Secret) *auditFile {
	o := &auditFile{path: path, room: newDiskReserve(), openFile: openAuditFile}
	if !key.IsZero() {
		o.chain = &chain{sealer: newSealer(key)}
	}
	return o
}

// checkAuditFile says whether the file could be written, and creates nothing:
// `validate` calls it.
func checkAuditFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return checkAuditDir(filepath.Dir(path))
	}
	if err != nil {
		return explainOpen(path, err)
	}
	defer f.Close()
	_, err = checkWritten(f)
	return err
}

func checkAuditDir(dir string) error {
	const writeAndSearch = 0x2 | 0x1 // W_OK | X_OK of access(2)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s; make it, for the gateway's user alone", dir)
	}
	if err := syscall.Access(dir, writeAndSearch); err != nil {
		return fmt.Errorf("no file can be made in %s: %w", dir, err)
	}
	return nil
}

func checkRegular(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.Name())
	}
	return nil
}

// checkWritten is [checkRegular] for a file that is written: it may be a device too,
// such as a terminal, or /dev/full in a test of what happens then. A trail that
// nobody can read is none.
func checkWritten(f *os.File) (device bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Mode()&os.ModeCharDevice == 0 {
		return false, checkRegular(f)
	}
	if nothing, err := os.Stat(os.DevNull); err != nil || os.SameFile(info, nothing) {
		return false, fmt.Errorf("%s is not a regular file: what is written there is gone", f.Name())
	}
	return true, nil
}

func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%s is a symbolic link; name the file itself", path)
	case errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%s is not a regular file", path)
	}
	return err
}

// openAuditFile opens the file for appending, makes it ours alone, and locks it.
// A link at its end is not followed: who can write the directory could have any
// file appended to.
func openAuditFile(path string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_APPEND | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	f, err := os.OpenFile(path, flags, auditFileMode)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	if err := takeAuditFile(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func takeAuditFile(f *os.File) error {
	if device, err := checkWritten(f); err != nil || device { // a device is not ours alone
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s is written by another process; give each gateway a file of its own", f.Name())
	}
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == auditFileMode {
		return err
	}
	return f.Chmod(auditFileMode)
}

// open implements [auditOutput].
func (o *auditFile) open() error {
	if err := o.reopen(""); err != nil {
		return err
	}
	if o.chain != nil {
		o.chain.checkpoint = time.Now()
	}
	_, _ = o.write(nil, 0) // a full disk is met by the first record too
	return nil
}

// reopen opens the path; what is written next says why. Without a cause the end
// of the chain is looked for in the file.
func (o *auditFile) reopen(cause string) error {
	f, err := o.openFile(o.path)
	if err != nil {
		return err
	}
	if err := o.take(f, cause); err != nil {
		_ = f.Close()
		return err
	}
	return nil
}

func (o *auditFile) take(f *os.File, cause string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	torn, err := tornTail(f, size)
	if err != nil {
		return err
	}
	if torn > 0 {
		caddy.Log().Named("authmin").Warn("the last line of the audit file was torn", zap.String("path", o.path), zap.Int("bytes", torn))
	}
	if o.chain != nil && cause == "" {
		if cause, err = o.recoverChain(f, size-int64(torn)); err != nil {
			return err
		}
	}
	o.f, o.size, o.torn, o.opening = f, size, torn, cause
	return nil
}

// release lets go of the file, and so of its lock.
func (o *auditFile) release() {
	if o.f != nil {
		_ = o.f.Close()
		o.f = nil
	}
}

// write implements [auditOutput]: all of the lines or none.
func (o *auditFile) write(lines []byte, records int) (int, error) {
	if err := o.ready(); err != nil {
		return 0, err
	}
	o.room.look(o.f, len(lines))
	if o.chain == nil {
		if err := o.append(lines); err != nil {
			return 0, err
		}
		return records, nil
	}
	undo := *o.chain
	o.chainLines(lines)
	sealed := o.chain.unsealed >= checkpointRecords
	if sealed {
		o.buf = o.chain.appendCheckpoint(o.buf, causePeriodic)
	}
	if err := o.append(o.buf); err != nil {
		*o.chain = undo
		return 0, err
	}
	if sealed {
		o.saveHead()
	}
	return records, nil
}

// chainLines puts the lines into the buffer as records of the chain, behind the
// one that says why the file was opened.
func (o *auditFile) chainLines(lines []byte) {
	o.buf = o.buf[:0]
	if o.opening != "" {
		o.buf = o.chain.appendControl(o.buf, eventOpened, o.opening, o.torn)
	}
	_, _ = eachLine(lines, func(line []byte) error {
		o.buf = o.chain.append(o.buf, line)
		return nil
	})
}

// append is the one place that writes to the file.
func (o *auditFile) append(lines []byte) error {
	if o.torn > 0 {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := o.f.Write(lines)
	if err != nil {
		o.takeBack(int64(n))
		return fmt.Errorf("writing the audit file: %w", err)
	}
	o.size += int64(n)
	o.torn, o.opening = 0, ""
	return nil
}

// ready makes sure that there is a file at all, and that it is as we left it: one
// system call for each batch.
func (o *auditFile) ready() error {
	if o.f == nil {
		return o.reopen("")
	}
	info, err := o.f.Stat()
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink == 0 {
		return o.rotate(causeDeleted)
	}
	if info.Size() < o.size {
		o.size, o.opening = info.Size(), causeTruncated
	}
	return nil
}

// takeBack removes what a write has left of its lines when the disk filled up. If
// that cannot be done, the file is opened again: then the end is looked at.
func (o *auditFile) takeBack(n int64) {
	if n == 0 {
		return
	}
	info, err := o.f.Stat()
	if err == nil {
		err = o.f.Truncate(info.Size() - n)
	}
	if err != nil {
		o.release()
	}
}

// tick implements [auditOutput]: it notices that the path leads elsewhere, and
// writes checkpoints.
func (o *auditFile) tick(now time.Time) {
	if o.f == nil {
		return // the next record tries again
	}
	o.room.look(o.f, 0)
	ours, err := o.f.Stat()
	if err != nil {
		return
	}
	if there, err := os.Lstat(o.path); err != nil || !os.SameFile(ours, there) {
		if err := o.rotate(causeRotated); err == nil {
			_, _ = o.write(nil, 0)
		}
		return
	}
	if o.chain != nil && o.chain.due(now) {
		o.addCheckpoint(causePeriodic)
	}
}

// rotate closes the old file and opens the path anew. Nothing is lost in between:
// this goroutine is the only writer.
func (o *auditFile) rotate(cause string) error {
	if o.chain != nil {
		o.addCheckpoint(causeRotated)
	}
	o.release()
	return o.reopen(cause)
}

// addCheckpoint seals what has been written, in the file and beside it.
func (o *auditFile) addCheckpoint(cause string) {
	undo := *o.chain
	o.chainLines(nil)
	o.buf = o.chain.appendCheckpoint(o.buf, cause)
	if err := o.append(o.buf); err != nil {
		*o.chain = undo
		return
	}
	o.saveHead()
}

// close implements [auditOutput].
func (o *auditFile) close() {
	if o.f != nil && o.chain != nil {
		o.addCheckpoint(causeClosed)
	}
	o.release()
}
