package caddymodule

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/llorch/gateway/authmin"
)

// tailBytes is how much of a file's end is read to find its last record.
const tailBytes = 16 * maxRecord

// headSuffix is added to an audit file's path for the file that holds the end of
// its chain, so that a cut shows although the file that was cut looks whole.
const headSuffix = ".head"

// maxHead bounds that file.
const maxHead = 256

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

// recoverChain finds where the chain goes on, in a file whose whole lines end at
// size: after the file's last record, or after one that is known to have come
// later, from this process or from what was sealed beside the file.
func (o *auditFile) recoverChain(f *os.File, size int64) (cause string, err error) {
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

// isFinal tells a checkpoint after which nothing else belongs to its file.
func isFinal(body []byte) bool {
	return isControl(body, eventCheckpoint, causeClosed) || isControl(body, eventCheckpoint, causeRotated)
}

// isControl reports whether a record is of this event and cause. No client can
// write one: in its text quotes are escaped.
func isControl(body []byte, event, cause string) bool {
	return bytes.Contains(body, []byte(`"event":"`+event+`","cause":"`+cause+`"`))
}

// saveHead writes the end of the chain beside the file. It is a second witness,
// so that failing to write it is no failure of the sink.
func (o *auditFile) saveHead() {
	text := fmt.Sprintf("%d %s", o.chain.n, hex.EncodeToString(o.chain.seal[:]))
	own := o.chain.sealer.of(purposeHead, []byte(text))
	path := o.path + headSuffix
	line := text + " " + hex.EncodeToString(own[:]) + "\n"
	const flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	f, err := os.OpenFile(path+".new", flags, auditFileMode)
	if err != nil {
		return
	}
	_, err = f.WriteString(line)
	if errors.Join(err, f.Close()) == nil {
		_ = os.Rename(path+".new", path)
	}
}

// readHead reads what saveHead wrote. Anything else is no head.
func readHead(path string, s *sealer) (chainHead, bool) {
	var head chainHead
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return head, false
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxHead))
	if err != nil {
		return head, false
	}
	line := strings.TrimSuffix(string(content), "\n")
	at := max(0, strings.LastIndexByte(line, ' '))
	text, own := line[:at], strings.TrimPrefix(line[at:], " ")
	var claimed seal
	if !decodeSeal(&claimed, own) || !s.of(purposeHead, []byte(text)).equal(claimed) {
		return head, false
	}
	var digits string
	if _, err := fmt.Sscanf(text, "%d %s", &head.n, &digits); err != nil || !decodeSeal(&head.seal, digits) {
		return chainHead{}, false
	}
	return head, true
}

func decodeSeal(s *seal, digits string) bool {
	if len(digits) != sealHex {
		return false
	}
	_, err := hex.Decode(s[:], []byte(digits))
	return err == nil
}

// readChainKey reads the key of a chain, by the rules of a token.
func readChainKey(path string) (authmin.Secret, error) {
	key, err := authmin.SecretFromFile(path)
	if err != nil {
		return authmin.Secret{}, fmt.Errorf("chain key: %w", err)
	}
	return key, nil
}

// chainKeys are the sources of the keys that the sinks are chained by.
func chainKeys(sinks []AuditSink) ([]*authmin.SecretSource, error) {
	var keys []*authmin.SecretSource
	for _, sink := range sinks {
		if sink.Chain == "" {
			continue
		}
		key, err := authmin.FileSecret(sourceChain, "the chain key of audit file "+sink.Path, sink.Chain)
		if err != nil {
			return nil, fmt.Errorf("chain key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
