package poolmanager

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
)

const (
	// ringLines is how many lines of an engine's output are kept: enough for a
	// llama-server start, which prints about 400.
	ringLines = 1000
	// ringLineBytes bounds one line; with ringLines it bounds a pool's log at 2 MiB.
	ringLineBytes = 2048
)

// credential matches what looks like one in the engine's output.
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
	fresh int  // how many of the lines are the present engine's
}

// Write implements io.Writer. It never fails. Lines of one write that later lines of it
// push out of the ring are not processed, so a flood of output does not slow the engine.
func (r *logRing) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	passing := bytes.Count(p, []byte("\n")) - ringLines
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if passing > 0 {
			r.part, r.cut, rest = r.part[:0], false, after
			passing--
			continue
		}
		if !r.cut {
			room := ringLineBytes - len(r.part)
			r.cut = len(line) > room
			r.part = append(r.part, line[:min(len(line), room)]...)
		}
		if whole {
			r.store(string(r.part), r.cut)
			r.part, r.cut = r.part[:0], false
		}
		rest = after
	}
	return len(p), nil
}

// store redacts a whole line, so that a key that came in two writes is found, and the
// beginning of a key at the end of a line that was cut.
func (r *logRing) store(line string, cut bool) {
	line = strings.ToValidUTF8(strings.TrimRight(line, "\r"), "�")
	line = adapter.WithoutKey(r.key, line)
	line = credential.ReplaceAllString(line, "${1}[redacted]")
	if cut {
		line = redactPartialKey(line, r.key)
	}
	r.fresh = min(r.fresh+1, ringLines)
	if len(r.lines) < ringLines {
		r.lines = append(r.lines, line)
		return
	}
	r.lines[r.next] = line
	r.next = (r.next + 1) % ringLines
}

// begin is called when an engine is started: its key is redacted from now on, and the
// lines of the engine before are not its last output.
func (r *logRing) begin(key authmin.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLine()
	r.key, r.fresh = key, 0
}

// endLine stores a line that will not be finished; the caller holds the lock.
func (r *logRing) endLine() {
	if len(r.part) > 0 {
		r.store(string(r.part), true)
	}
	r.part, r.cut = r.part[:0], false
}

// lastOutput gives the n newest lines of an engine that has ended, oldest first;
// the last one need not be whole.
func (r *logRing) lastOutput(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLine()
	return r.newest(min(n, r.fresh))
}

// last gives the n newest lines, oldest first.
func (r *logRing) last(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest(min(n, len(r.lines)))
}

// newest gives n lines of those there are; the caller holds the lock.
func (r *logRing) newest(n int) []string {
	list := make([]string, 0, n)
	for i := len(r.lines) - n; i < len(r.lines); i++ {
		list = append(list, r.lines[(r.next+i)%len(r.lines)])
	}
	return list
}

// minPartialKey is the shortest beginning of a key, in bytes, that is redacted at the
// end of a line: a shorter match is a coincidence.
const minPartialKey = 4

// partialCredential is what looks like the beginning of one where a line was cut.
var partialCredential = regexp.MustCompile(`(?i)((?:bearer\s+|(?:api[-_]?key|token|secret|password)["']?\s*[=:]\s*["']?))[^\s"',;]{1,5}$`)

// redactPartialKey takes the beginning of a key off the end of a line that was too long,
// or that its engine was writing when it ended. A key as a whole has been taken out
// before.
func redactPartialKey(line string, key authmin.Secret) string {
	text := key.Reveal()
	for n := min(len(text)-1, len(line)); n >= minPartialKey; n-- {
		begun, last := authmin.NewSecret(text[:n]), authmin.NewSecret(line[len(line)-n:])
		if begun.Equal(last) {
			return line[:len(line)-n] + "[redacted]"
		}
	}
	return partialCredential.ReplaceAllString(line, "${1}[redacted]")
}
