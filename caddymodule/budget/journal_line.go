package budget

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxJournal bounds the file that is read at the start. It is replaced long before.
const maxJournal = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What names the identity of an account.
const (
	byKeyring = "keyring"
	byProxy   = "proxy"
)

// appendLine adds the line of an account.
func appendLine(b []byte, at time.Time, a *account) []byte {
	by := byKeyring
	if a.named {
		by = byProxy
	}
	body := fmt.Sprintf("%d %s %d %d %d %s", at.Unix(), url.QueryEscape(a.key), a.window, a.total(), a.limit, by)
	return fmt.Appendf(b, "%08x %s\n", crc32.Checksum([]byte(body), castagnoli), body)
}

// parseLine is the inverse of appendLine, without the line's end.
func parseLine(line string) (at int64, a *account, ok bool) {
	sum, body, _ := strings.Cut(line, " ")
	if want, err := strconv.ParseUint(sum, 16, 32); err != nil || len(sum) != 8 || uint32(want) != crc32.Checksum([]byte(body), castagnoli) {
		return 0, nil, false
	}
	fields := strings.Split(body, " ")
	if len(fields) != 6 || fields[5] != byKeyring && fields[5] != byProxy {
		return 0, nil, false
	}
	a = &account{named: fields[5] == byProxy}
	key, err := url.QueryUnescape(fields[1])
	if err != nil {
		return 0, nil, false
	}
	a.key = key
	a.period = authmin.BudgetPeriod(key[strings.LastIndexByte(key, '/')+1:])
	numbers := []string{fields[0], fields[2], fields[3], fields[4]}
	for i, to := range []*int64{&at, &a.window, &a.used, &a.limit} {
		if *to, err = strconv.ParseInt(numbers[i], 10, 64); err != nil || *to < 0 {
			return 0, nil, false
		}
	}
	start, _ := Window(a.period, time.Unix(a.window, 0))
	return at, a, start.Unix() == a.window
}

// read reads the file from its beginning: the last line of each account counts. What
// follows the last whole line is the rest of a write that a crash cut, and is removed. A
// damaged line before it is an error: what it said would be forgotten.
func (j *journal) read(each func(at int64, a *account)) (torn int, err error) {
	content, err := io.ReadAll(io.LimitReader(j.f, maxJournal+1))
	if err != nil {
		return 0, fmt.Errorf("reading budgets: %w", err)
	}
	if len(content) > maxJournal {
		return 0, fmt.Errorf("reading budgets: %s is larger than %d bytes; move it away, and all budgets begin anew", j.path, maxJournal)
	}
	number, damaged, whole := 0, 0, 0
	for line := range bytes.Lines(content) {
		number++
		at, a, ok := int64(0), (*account)(nil), false
		if text, ended := bytes.CutSuffix(line, []byte("\n")); ended {
			at, a, ok = parseLine(string(text))
		}
		switch {
		case !ok && damaged == 0:
			damaged = number
		case ok && damaged > 0:
			return 0, fmt.Errorf("reading budgets: %s: line %d is damaged; restore the file, or move it away, and all budgets begin anew", j.path, damaged)
		case ok:
			whole += len(line)
			each(at, a)
		}
	}
	j.size = int64(whole)
	if torn = len(content) - whole; torn > 0 {
		err = j.f.Truncate(j.size)
	}
	return torn, err
}
