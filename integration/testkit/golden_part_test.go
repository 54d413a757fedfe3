package testkit

import "testing"

func TestAPartIsFoundBetweenItsMarks(t *testing.T) {
	const text = "a\n<!-- begin x -->\nb\n<!-- end x -->\nc\n"
	before, part, after, err := cutPart(text, "x")
	if err != nil || part != "b\n" || before+part+after != text {
		t.Errorf("got %q, %q, %q, %v", before, part, after, err)
	}
	for _, bad := range []string{"", "<!-- begin x -->\n", "<!-- end x -->\n<!-- begin x -->\n", text + text} {
		if _, _, _, err := cutPart(bad, "x"); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
