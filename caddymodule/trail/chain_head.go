package trail

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/llorch/gateway/authmin"
)

// headSuffix is added to an audit file's path for the file that holds the end of
// its chain, so that a cut shows although the file that was cut looks whole.
const headSuffix = ".head"

// maxHead bounds that file.
const maxHead = 256

// saveHead stores the end of the chain in a second file, so that truncation of the first
// can be detected. An error does not fail the sink.
func (o *fileOutput) saveHead() {
	text := fmt.Sprintf("%d %s", o.chain.n, hex.EncodeToString(o.chain.seal[:]))
	own := o.chain.sealer.of(purposeHead, []byte(text))
	path := o.path + headSuffix
	line := text + " " + hex.EncodeToString(own[:]) + "\n"
	const flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	f, err := os.OpenFile(path+".new", flags, fileMode)
	if err != nil {
		return
	}
	_, err = f.WriteString(line)
	if errors.Join(err, f.Close()) == nil {
		_ = os.Rename(path+".new", path)
	}
}

// readHead reads a file that saveHead wrote. It ignores any other content.
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

// ReadKey reads the key of a chain from a file, under the rules of
// [authmin.SecretFromFile].
func ReadKey(path string) (authmin.Secret, error) {
	key, err := authmin.SecretFromFile(path)
	if err != nil {
		return authmin.Secret{}, fmt.Errorf("chain key: %w", err)
	}
	return key, nil
}
