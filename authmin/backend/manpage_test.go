package backend

import (
	"flag"
	"strings"
	"testing"
)

// TestRoffHasNoCommands: texts of settings are text to the formatter.
func TestRoffHasNoCommands(t *testing.T) {
	for text, want := range map[string]string{
		".so /etc/passwd": `\&.so /etc/passwd`, "'x": `\&'x`, `a\b-c`: `a\eb\-c`, "a\n.b": "a .b", "plain": "plain", "a → b": `a \[u2192] b`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := quoted(`a "b"`); got != `"a \(dqb\(dq"` {
		t.Errorf("quoted: got %s", got)
	}
}

func TestAManualPageHasTheDocumentation(t *testing.T) {
	var b strings.Builder
	manText(&b, []string{"", "\tx --go", "\tx --stop", "", "It goes.", "More.", "", "And stops:", "", "  - a", "", "# Parts", "", ".End."})
	want := ".nf\nx \\-\\-go\nx \\-\\-stop\n.fi\n.SH DESCRIPTION\nIt goes.\nMore.\n.PP\nAnd stops:\n.PP\n.nf\n  \\- a\n.fi\n.SH \"PARTS\"\n\\&.End.\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestManpageWantsADirectory(t *testing.T) {
	for _, args := range [][]string{nil, {"--directory", t.TempDir(), "more"}, {"--directory", "/proc/none/such"}} {
		if err := (Program{Name: "x"}).writeManpage(args, flag.NewFlagSet("x", flag.ContinueOnError), t.Output()); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}
