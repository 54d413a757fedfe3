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

func TestWhatAnEngineBeforeWroteIsNotItsSuccessorsLastWord(t *testing.T) {
	ring := &logRing{}
	ring.begin(authmin.Secret{})
	fmt.Fprint(ring, "old\nCUDA out of memory")
	if got := ring.lastWords(20); len(got) != 2 || got[1] != "CUDA out of memory" {
		t.Errorf("got %q, want the line without an end too", got)
	}
	ring.begin(authmin.Secret{})
	if got := ring.lastWords(20); len(got) != 0 {
		t.Errorf("an engine that wrote nothing said %q", got)
	}
	fmt.Fprint(ring, "new\n")
	if got := ring.lastWords(20); len(got) != 1 || got[0] != "new" {
		t.Errorf("got %q, want new alone", got)
	}
	if got := ring.last(20); len(got) != 3 {
		t.Errorf("the log is %q, want all three lines", got)
	}
}

// TestAFloodIsNotLookedAtLineByLine writes in one go what a pipe gives at most.
func TestAFloodIsNotLookedAtLineByLine(t *testing.T) {
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
