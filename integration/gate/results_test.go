package main

import (
	"strings"
	"testing"
)

func TestARecordIsRead(t *testing.T) {
	const record = `{"Action":"tree","Tree":"t1"}
{"Action":"step-begin","Step":"race"}
{"Action":"start","Package":"github.com/llorch/gateway/authmin"}
{"Action":"run","Package":"github.com/llorch/gateway/authmin","Test":"TestA"}
{"Action":"attr","Package":"github.com/llorch/gateway/authmin","Test":"TestA","Key":"bound","Value":"0.1"}
{"Action":"run","Package":"github.com/llorch/gateway/authmin","Test":"TestA/one"}
{"Action":"output","Package":"github.com/llorch/gateway/authmin","Test":"TestA/one","Output":"--- PASS\n"}
{"Action":"pass","Package":"github.com/llorch/gateway/authmin","Test":"TestA/one","Elapsed":0.1}
{"Action":"pass","Package":"github.com/llorch/gateway/authmin","Test":"TestA","Elapsed":0.1}
{"Action":"run","Package":"github.com/llorch/gateway/authmin","Test":"TestKilled"}
{"Action":"fail","Package":"github.com/llorch/gateway/authmin","Elapsed":0.2}
{"Action":"step-end","Step":"race","Value":"fail","Output":"exit status 1"}
{"Action":"run","Package":"github.com/llorch/gateway","Test":"TestLayers"}
{"Action":"pass","Package":"github.com/llorch/gateway","Test":"TestLayers"}
`
	r := newResults()
	if err := r.read(strings.NewReader(record)); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[testID]bool{
		{"./authmin", "TestA"}: true, {"./authmin", "TestA/one"}: true, {".", "TestLayers"}: true,
		{"./authmin", "TestKilled"}: false, {"./authmin", "TestNone"}: false, {"./authmin", ""}: false,
	} {
		if got := r.tests[id].ok(); got != want {
			t.Errorf("%v: ok %v, want %v", id, got, want)
		}
	}
	if got := r.tests[testID{"./authmin", "TestA"}].attrs["bound"]; len(got) != 1 || got[0] != "0.1" {
		t.Errorf("attributes %q, want 0.1", got)
	}
	if s := r.steps["race"]; !s.ended || s.passed || s.packages["./authmin"] || len(s.packages) != 1 {
		t.Errorf("step %+v, want ended, failed, with one failed package", *s)
	}
	if len(r.trees) != 1 || r.trees[0] != "t1" {
		t.Errorf("trees %q, want t1", r.trees)
	}
}

// TestAStepThatFailedOnceIsRed: to repeat it until it passes is no way to pass.
func TestAStepThatFailedOnceIsRed(t *testing.T) {
	for _, c := range []struct {
		ends []string
		want bool
	}{{[]string{"pass"}, true}, {[]string{"pass", "pass"}, true}, {[]string{"fail", "pass"}, false}, {[]string{"pass", "fail"}, false}} {
		r := newResults()
		for _, end := range c.ends {
			r.add(event{Action: actionBegin, Step: "vet"})
			r.add(event{Action: actionEnd, Step: "vet", Value: end})
		}
		if _, fault := judgeStep("vet", r); (fault == "") != c.want {
			t.Errorf("%q: %q, want green %v", c.ends, fault, c.want)
		}
	}
}

func TestATruncatedRecordIsRefused(t *testing.T) {
	for name, record := range map[string]string{
		"a cut line":       `{"Action":"pass","Package":"x"}` + "\n" + `{"Action":"pa`,
		"plain output":     "ok  \tgithub.com/llorch/gateway\t0.1s\n",
		"an empty line":    "\n",
		"another object":   `{"Package":"x"}`,
		"a line too long":  `{"Action":"output","Output":"` + strings.Repeat("x", maxLine) + `"}`,
		"another document": `[]`,
	} {
		if err := newResults().read(strings.NewReader(record)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestScenariosAreCounted(t *testing.T) {
	const feature = `Feature: x
  # Scenario: a comment
  Background:
    Given a table
      | Scenario: |
  Scenario: one
    When I send
      """
      Scenario: quoted
      """
  Scenario Outline: two
    When <a>
    Examples:
      | a |
      | 1 |
      | 2 |
    Examples: more
      | a |
      | 3 |
  Scenario: three
    Given a table
      | a |
`
	if got, want := countIn(feature), 5; got != want {
		t.Errorf("%d scenarios, want %d", got, want)
	}
}
