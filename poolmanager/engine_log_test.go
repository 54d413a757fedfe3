package poolmanager

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

func TestTheRingKeepsTheLastLines(t *testing.T) {
	ring := &logRing{}
	for i := range ringLines + 5 {
		fmt.Fprintf(ring, "line %d\r\n", i)
	}
	got := ring.last(3)
	want := fmt.Sprintf("line %d", ringLines+4)
	if len(got) != 3 || got[2] != want {
		t.Errorf("got %q, want the last to be %q", got, want)
	}
	if all := ring.last(1 << 20); len(all) != ringLines || all[0] != "line 5" {
		t.Errorf("got %d lines, the first %q", len(all), all[0])
	}
}

func TestALineWithoutEndIsBounded(t *testing.T) {
	ring := &logRing{}
	for range 100 {
		fmt.Fprint(ring, strings.Repeat("x", ringLineBytes))
	}
	if len(ring.part) > ringLineBytes {
		t.Errorf("%d bytes are kept of one line", len(ring.part))
	}
	fmt.Fprint(ring, "tail\nnext\n")
	if got := ring.last(2); len(got[0]) != ringLineBytes || got[1] != "next" {
		t.Errorf("got %d bytes, then %q", len(got[0]), got[1])
	}
}

func TestCredentialsDoNotReachTheRing(t *testing.T) {
	ring, key := &logRing{}, authmin.RandomSecret()
	ring.begin(key)
	secret := "hunter2hunter2"
	for _, text := range []string{
		"key " + key.Reveal()[:10], key.Reveal()[10:] + "\n", // in two writes
		"Authorization: Bearer " + secret + "\n", `{"api_key": "` + secret + `"}` + "\n", "HF_TOKEN=" + secret + "\n", "--api-key=" + secret + "\n",
	} {
		fmt.Fprint(ring, text)
	}
	all := strings.Join(ring.last(10), "\n")
	if strings.Contains(all, secret) || strings.Contains(all, key.Reveal()) || strings.Count(all, "[redacted]") != 5 {
		t.Errorf("the ring holds:\n%s", all)
	}
}

func TestOutputOfAnEarlierEngineIsNotTheNextOnesLastOutput(t *testing.T) {
	ring := &logRing{}
	ring.begin(authmin.Secret{})
	fmt.Fprint(ring, "old\nCUDA out of memory")
	if got := ring.lastOutput(20); len(got) != 2 || got[1] != "CUDA out of memory" {
		t.Errorf("got %q, want the line without an end too", got)
	}
	ring.begin(authmin.Secret{})
	if got := ring.lastOutput(20); len(got) != 0 {
		t.Errorf("an engine that wrote nothing said %q", got)
	}
	fmt.Fprint(ring, "new\n")
	if got := ring.lastOutput(20); len(got) != 1 || got[0] != "new" {
		t.Errorf("got %q, want new alone", got)
	}
	if got := ring.last(20); len(got) != 3 {
		t.Errorf("the log is %q, want all three lines", got)
	}
}

// TestAFloodOfOutputIsNotScannedLineByLine writes in one go what a pipe gives at most.
func TestAFloodOfOutputIsNotScannedLineByLine(t *testing.T) {
	ring := &logRing{}
	fmt.Fprint(ring, "half a line")
	flood := []byte(strings.Repeat("y\n", 64<<10) + "last\nrest")
	if got := testing.AllocsPerRun(3, func() { _, _ = ring.Write(flood) }); got > 4*ringLines {
		t.Errorf("%.0f allocations for %d lines that are kept", got, ringLines)
	}
	if got := ring.last(2); len(got) != 2 || got[0] != "y" || got[1] != "last" || string(ring.part) != "rest" {
		t.Errorf("got %q, then %q", got, ring.part)
	}
}

// A line is cut where it is too long, and where its engine ends: perhaps inside a key.
func TestALineThatIsCutInsideAKeyIsRedacted(t *testing.T) {
	key := authmin.RandomSecret()
	text := key.Reveal()
	for shown := minPartialKey; shown < len(text); shown++ {
		for name, line := range map[string]string{
			"too long":             strings.Repeat("x", ringLineBytes-shown) + text + " and more\n",
			"too long, a password": strings.Repeat("x", ringLineBytes-shown-len("password=")) + "password=" + text + "\n",
			"too long, another's":  strings.Repeat("x", ringLineBytes-shown-len("api_key: ")) + "api_key: " + strings.ToUpper(text) + "\n",
			"the engine ended":     "starting with " + text[:shown],
		} {
			ring := &logRing{}
			ring.begin(key)
			fmt.Fprint(ring, line)
			got := ring.lastOutput(1)[0]
			if tail := got[max(0, len(got)-60):]; strings.Contains(strings.ToLower(tail), strings.ToLower(text[:minPartialKey])) || !strings.HasSuffix(got, "[redacted]") {
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
		if got := ring.lastOutput(2); len(got) != 2 || got[0] != "the tokens: 12" || got[1] != "half a line" {
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

func TestTheEnginesLastOutputHasNoTerminalControls(t *testing.T) {
	p := &pool{logs: &logRing{}}
	fmt.Fprint(p.logs, "out of\x1b[2J luck\x00\u202e\n")
	if got := p.lastOutput(); got != "; it said: out of?[2J luck??" {
		t.Errorf("got %q", got)
	}
}
