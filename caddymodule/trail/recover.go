package trail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// tailBytes is how much of a file's end is read to find its last record.
const tailBytes = 16 * MaxRecord

// tornTail returns the length of what follows the last line end.
func tornTail(f *os.File, size int64) (int, error) {
	tail, err := readTail(f, size)
	if err != nil {
		return 0, err
	}
	return len(tail) - (bytes.LastIndexByte(tail, '\n') + 1), nil
}

func readTail(f *os.File, size int64) ([]byte, error) {
	start := max(0, size-tailBytes)
	tail := make([]byte, size-start)
	n, err := f.ReadAt(tail, start)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the end of %s: %w", f.Name(), err)
	}
	return tail[:n], nil
}

// recoverChain finds the end of the chain, in a file whose whole lines end at size: the
// last record of the file, or a later one that is known from this process or from the
// head file.
func (o *fileOutput) recoverChain(f *os.File, size int64) (cause string, err error) {
	known := &o.chain.chainHead
	if saved, ok := readHead(o.path+headSuffix, o.chain.sealer); ok && saved.n > known.n {
		*known = saved
	}
	if size == 0 {
		if known.n == 0 {
			return causeCreated, nil
		}
		return causeContinued, nil
	}
	tail, err := readTail(f, size)
	if err != nil {
		return "", err
	}
	tail = bytes.TrimSuffix(tail, []byte("\n"))
	record, err := parseChained(tail[bytes.LastIndexByte(tail, '\n')+1:])
	switch {
	case err != nil || !o.chain.sealer.of(purposeRecord, record.body).equal(record.seal):
		return causeUnverified, nil
	case record.n < known.n:
		return causeBehind, nil
	}
	*known = record.chainHead
	if isFinal(record.body) {
		return causeRestarted, nil
	}
	return causeUnclosed, nil
}
