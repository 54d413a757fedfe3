package main

import (
	"regexp"
	"slices"
	"strings"
)

// verdict is what became of one mutant.
type verdict string

const (
	red    verdict = "red"    // a named test failed: the control has a test
	green  verdict = "GREEN"  // all tests passed: it has none
	broken verdict = "broken" // no verdict on the control
)

// result is a verdict with its evidence.
type result struct {
	verdict verdict
	test    string // the first test that failed
	detail  string // why it is broken, or what was printed
}

// timedOut is what package testing prints when -test.timeout ends a test binary.
const timedOut = "panic: test timed out"

var (
	reFailed = regexp.MustCompile(`(?m)^\s*--- FAIL: (Test\w+)`)
	rePassed = regexp.MustCompile(`(?m)^--- PASS: (Test\w+)`)
)

// judge decides on the output of a test binary that had a mutant compiled in.
func judge(output string, tests []string, err error, expired bool) result {
	tail := lastLines(output)
	switch {
	case expired:
		return result{broken, "", "the tests did not end in time, and had to be killed: give the test a bound and a message\n" + tail}
	case strings.Contains(output, timedOut):
		return result{broken, "", "the tests fail by their time-out alone: give the test a bound and a message\n" + tail}
	case err == nil:
		return result{green, "", ""}
	}
	for _, match := range reFailed.FindAllStringSubmatch(output, -1) {
		if slices.Contains(tests, match[1]) {
			return result{red, match[1], ""}
		}
	}
	return result{broken, "", "the tests failed, and named none: " + err.Error() + "\n" + tail}
}

// judgeUnchanged decides whether the tests of a mutant pass without it. It returns what
// is wrong, or "".
func judgeUnchanged(output string, tests []string, err error, expired bool) string {
	if err != nil || expired {
		return "the tests fail without the mutant\n" + lastLines(output)
	}
	passed := map[string]bool{}
	for _, match := range rePassed.FindAllStringSubmatch(output, -1) {
		passed[match[1]] = true
	}
	for _, test := range tests {
		if !passed[test] {
			return "without the mutant " + test + " did not run"
		}
	}
	return ""
}

// shownLines is how much of a failed command's output is shown.
const shownLines = 25

func lastLines(output string) string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-shownLines):], "\n")
}
