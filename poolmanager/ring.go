package poolmanager

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"github.com/llorch/gateway/authmin"
)

const (
	// ringLines is how many lines of an engine's output are kept: enough for a
	// llama-server start, which prints about 400.
	ringLines = 1000
	// ringLineBytes bounds one line; with ringLines it bounds a pool's log at 2 MiB.
	ringLineBytes = 2048
)

// credential is what looks like one in somebody else's output.
var credential = regexp.MustCompile(`(?i)(bearer\s+|(?:api[-_]?key|token|secret|password)["']?\s*[=:]\s*["']?)[^\s"',;]{6,}`)

// logRing keeps the last lines of an engine's output, credentials redacted
// before they are stored.
type logRing struct {
	mu    sync.Mutex
	key   authmin.Secret
	lines []string
	next  int // where the oldest line is, once the ring is full
	part  []byte
	cut   bool // the rest of a line that is too long is dropped
}

// Write implements io.Writer; it never fails, so an engine never blocks on it.
func (r *logRing) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !r.cut {
			room := ringLineBytes - len(r.part)
			r.cut = len(line) > room
			r.part = append(r.part, line[:min(len(line), room)]...)
		}
		if whole {
			r.store(string(r.part))
			r.part, r.cut = r.part[:0], false
		}
		rest = after
	}
	return len(p), nil
}

// store redacts a line as a whole: a key that came in two writes is found too.
func (r *logRing) store(line string) {
	line = strings.ToValidUTF8(strings.TrimRight(line, "\r"), "�")
	if !r.key.IsZero() {
		line = strings.ReplaceAll(line, r.key.Reveal(), "[redacted]")
	}
	line = credential.ReplaceAllString(line, "${1}[redacted]")
	if len(r.lines) < ringLines {
		r.lines = append(r.lines, line)
		return
	}
	r.lines[r.next] = line
	r.next = (r.next + 1) % ringLines
}

// redact sets the key that must not appear from now on.
func (r *logRing) redact(key authmin.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key = key
}

// last gives the n newest lines, oldest first.
func (r *logRing) last(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.lines))
	all := make([]string, 0, n)
	for i := len(r.lines) - n; i < len(r.lines); i++ {
		all = append(all, r.lines[(r.next+i)%len(r.lines)])
	}
	return all
}
