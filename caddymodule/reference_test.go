package caddymodule

import (
	"regexp"
	"slices"
	"testing"
)

// deploy/README.md is where an operator looks up an option or a metric.
func TestTheReferenceNamesEveryOptionAndMetric(t *testing.T) {
	text := readFile(t, "../deploy/README.md")
	words := regexp.MustCompile("`([a-z_]+)").FindAllStringSubmatch(text, -1)
	metrics := regexp.MustCompile(`Name: "(caddy_authmin_[a-z_]+)"`).FindAllStringSubmatch(readFile(t, "metrics.go"), -1)
	wanted := slices.Concat(globalOptions, guardOptions, []string{"chain", "reserve", "required"})
	for _, match := range metrics {
		wanted = append(wanted, match[1])
	}
	if len(metrics) < 10 || len(wanted) < 30 {
		t.Fatalf("only %d metrics, %d names", len(metrics), len(wanted))
	}
	for _, want := range wanted {
		if !slices.ContainsFunc(words, func(word []string) bool { return word[1] == want }) {
			t.Errorf("deploy/README.md does not name %s", want)
		}
	}
}
