package trail

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/llorch/gateway/authmin"
)

// fileOutput appends to one file. It is the file's only writer: a lock keeps other
// processes out.
type fileOutput struct {
	path  string
	chain *chain // nil without a key
	log   func() *slog.Logger

	f       *os.File
	size    int64  // where our last write ended
	torn    int    // bytes of a torn line that the next write has to end
	opening string // the cause of an EventOpened record due before the next one
	buf     []byte

	reserve *reserve // told how much of the disk is free

	openFile func(path string) (*os.File, error) // replaced by tests
}

func newFileOutput(path string, key authmin.Secret, log func() *slog.Logger) *fileOutput {
	o := &fileOutput{path: path, log: log, reserve: newReserve(log), openFile: openFile}
	if !key.IsZero() {
		o.chain = &chain{sealer: newSealer(key)}
	}
	return o
}

// open implements [output].
func (o *fileOutput) open() error {
	if err := o.reopen(""); err != nil {
		return err
	}
	if o.chain != nil {
		o.chain.checkpoint = time.Now()
	}
	_, _ = o.write(nil, 0) // a full disk does not refuse the start: the first record meets it too
	return nil
}

// reopen opens the path. The next record has the cause; without one, the end of the chain
// is read from the file.
func (o *fileOutput) reopen(cause string) error {
	f, err := o.openFile(o.path)
	if err != nil {
		return err
	}
	if err := o.continueAt(f, cause); err != nil {
		_ = f.Close()
		return err
	}
	return nil
}

// continueAt continues the trail at the end of f.
func (o *fileOutput) continueAt(f *os.File, cause string) error {
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
		o.log().Warn("the last line of the audit file was torn", "path", o.path, "bytes", torn)
	}
	if o.chain != nil && cause == "" {
		if cause, err = o.recoverChain(f, size-int64(torn)); err != nil {
			return err
		}
	}
	o.f, o.size, o.torn, o.opening = f, size, torn, cause
	return nil
}

// release closes the file, and so gives up its lock.
func (o *fileOutput) release() {
	if o.f != nil {
		_ = o.f.Close()
		o.f = nil
	}
}

// write implements [output]: all of the lines or none.
func (o *fileOutput) write(lines []byte, records int) (int, error) {
	if err := o.ready(); err != nil {
		return 0, err
	}
	o.reserve.measure(o.f, len(lines))
	if o.chain != nil {
		if err := o.writeChained(lines); err != nil {
			return 0, err
		}
		return records, nil
	}
	if err := o.append(lines); err != nil {
		return 0, err
	}
	return records, nil
}

// append is the only function that writes to the file.
func (o *fileOutput) append(lines []byte) error {
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

// takeBack removes the partial lines of a write that failed on a full disk. If that fails,
// the file is reopened, which checks its end.
func (o *fileOutput) takeBack(n int64) {
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

// close implements [output].
func (o *fileOutput) close() {
	if o.f != nil && o.chain != nil {
		o.addCheckpoint(causeClosed)
	}
	o.release()
}
