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

func TestAPieceOfAKeyThatTheEngineItselfCutIsNotShown(t *testing.T) {
	key := authmin.RandomSecret()
	text := key.Reveal()
	for name, lines := range map[string][]string{
		"shortened":      {"key " + text[:12] + "… is in use"},
		"its end":        {"key …" + text[20:] + " is in use"},
		"over two lines": {"key " + text[:20], text[20:] + " is in use"},
		"twice":          {text[:10] + " " + text[:14] + " " + text},
	} {
		ring := &logRing{}
		ring.begin(key)
		fmt.Fprintln(ring, strings.Join(lines, "\n"))
		got := strings.Join(ring.last(10), "\n")
		if strings.Contains(got, text[:8]) || strings.Contains(got, text[len(text)-8:]) || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s: the ring holds %q", name, got)
		}
	}
}

func TestTheEnginesLastWordsCannotCommandATerminal(t *testing.T) {
	p := &pool{logs: &logRing{}}
	fmt.Fprint(p.logs, "out of\x1b[2J luck\x00\u202e\n")
	if got := p.lastWords(); got != "; it said: out of?[2J luck??" {
		t.Errorf("got %q", got)
	}
}
