package trail

import (
	"bytes"
	"os"
	"time"
)

// output is the destination of a sink's lines. Only the sink's goroutine calls it, except
// for open, which is called before.
type output interface {
	// open is called once, first. Its error refuses the start.
	open() error
	// write passes whole lines to the kernel, and returns the number of records that it
	// passed.
	write(lines []byte, records int) (int, error)
	// tick is called twice a second.
	tick(now time.Time)
	close()
}

// eachLine calls f for every line of a batch, without its line end, up to the first
// error.
func eachLine(lines []byte, f func(line []byte) error) (int, error) {
	n := 0
	for line := range bytes.Lines(lines) {
		if err := f(line[:len(line)-1]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// stderrOutput writes to the process's standard error, one line a write: other code
// writes there too, and a line below PIPE_BUF stays whole.
type stderrOutput struct{ to *os.File }

func newStderrOutput() stderrOutput { return stderrOutput{os.Stderr} }

func (o stderrOutput) open() error { return nil }

func (o stderrOutput) write(lines []byte, _ int) (int, error) {
	return eachLine(lines, func(line []byte) error {
		_, err := o.to.Write(line[:len(line)+1]) // with its line end
		return err
	})
}

func (o stderrOutput) tick(time.Time) {}

func (o stderrOutput) close() {}

// Interface guards
var (
	_ output = (*fileOutput)(nil)
	_ output = (*syslogOutput)(nil)
	_ output = stderrOutput{}
)
