package poolmanager

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// A line is cut where it is too long, and where its engine ends: perhaps inside a key.
func TestALineThatIsCutInsideAKeyShowsNothingOfIt(t *testing.T) {
	key := authmin.RandomSecret()
	text := key.Reveal()
	for shown := leastPart; shown < len(text); shown++ {
		for name, line := range map[string]string{
			"too long":             strings.Repeat("x", ringLineBytes-shown) + text + " and more\n",
			"too long, a password": strings.Repeat("x", ringLineBytes-shown-len("password=")) + "password=" + text + "\n",
			"too long, another's":  strings.Repeat("x", ringLineBytes-shown-len("api_key: ")) + "api_key: " + strings.ToUpper(text) + "\n",
			"the engine ended":     "starting with " + text[:shown],
		} {
			ring := &logRing{}
			ring.begin(key)
			fmt.Fprint(ring, line)
			got := ring.lastWords(1)[0]
			if tail := got[max(0, len(got)-60):]; strings.Contains(strings.ToLower(tail), strings.ToLower(text[:leastPart])) || !strings.HasSuffix(got, "[redacted]") {
				t.Errorf("%s, %d bytes of the key: the ring holds …%s", name, shown, tail)
			}
		}
	}
}

func TestALineThatIsCutElsewhereStaysAsItIs(t *testing.T) {
	for _, key := range []authmin.Secret{{}, authmin.RandomSecret()} {
		ring := &logRing{}
		ring.begin(key)
		fmt.Fprint(ring, "the tokens: 12\nhalf a line")
		if got := ring.lastWords(2); len(got) != 2 || got[0] != "the tokens: 12" || got[1] != "half a line" {
			t.Errorf("the ring holds %q", got)
		}
	}
}
