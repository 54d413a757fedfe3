package poolmanager

import (
	"regexp"

	"github.com/llorch/gateway/authmin"
)

// leastPart is the shortest beginning of a key, in bytes, that is taken out of the
// end of a line: less is a coincidence.
const leastPart = 4

// begunCredential is what looks like the beginning of one where a line was cut.
var begunCredential = regexp.MustCompile(`(?i)((?:bearer\s+|(?:api[-_]?key|token|secret|password)["']?\s*[=:]\s*["']?))[^\s"',;]{1,5}$`)

// withoutBegunKey takes the beginning of a key off the end of a line that was too long,
// or that its engine was writing when it ended. A key as a whole has been taken out
// before.
func withoutBegunKey(line string, key authmin.Secret) string {
	text := key.Reveal()
	for n := min(len(text)-1, len(line)); n >= leastPart; n-- {
		begun, last := authmin.NewSecret(text[:n]), authmin.NewSecret(line[len(line)-n:])
		if begun.Equal(last) {
			return line[:len(line)-n] + "[redacted]"
		}
	}
	return begunCredential.ReplaceAllString(line, "${1}[redacted]")
}
