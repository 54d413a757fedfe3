package backend

import (
	stdlog "log"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// What net/http writes to the standard library's log is an entry of the program's log, and
// has no words of a peer.
func TestTheStandardLogIsTheProgramsWithoutWordsOfAPeer(t *testing.T) {
	was := stdlog.Writer()
	r := start(t, nil, environment())
	stdlog.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "canary of the answer", nil)
	record := r.logged(t, "Unsolicited response received on idle HTTP channel starting with [redacted]", 1)
	if record["level"] != "WARN" {
		t.Errorf("got level %v, want WARN", record["level"])
	}
	r.stop()
	if err := testkit.Receive(t, r.ended, "the end"); err != nil {
		t.Error(err)
	}
	if strings.Contains(r.log.String(), "canary") {
		t.Error("the log has the words of the peer")
	}
	if stdlog.Writer() != was {
		t.Error("the program has ended, and the standard log is still its own")
	}
}
