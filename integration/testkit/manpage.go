package testkit

import (
	"os"
	"strings"
	"testing"
)

// ManualPage fails unless a file is a manual page of section 8 with every key and variable.
func ManualPage(t testing.TB, file, name string, keys, variables []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if !strings.HasPrefix(page, ".TH "+strings.ToUpper(name)+" 8 ") || !strings.Contains(page, ".SH DESCRIPTION\n") {
		t.Errorf("got %.200s", page)
	}
	for _, key := range keys {
		if !strings.Contains(page, ".TP\n\\fB"+key+"\\fR\n") {
			t.Errorf("the page has no key %s", key)
		}
	}
	for _, variable := range variables {
		if !strings.Contains(page, variable) {
			t.Errorf("the page does not name %s", variable)
		}
	}
}
