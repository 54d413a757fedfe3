package main

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// featureFolder holds the scenarios; featureTest runs them, one subtest each.
const featureFolder = "integration/features"

var featureTest = named{"./integration", "TestFeatures", 0}

// leastScenarios are fewer than there are: what is below was not read.
const leastScenarios = 60

// scenarios holds the number of scenarios that passed to that of those written:
// one that no run picks up is as good as none.
func scenarios(in *inputs) (evidence, faults []string) {
	written, err := countScenarios(in.tree)
	if err != nil {
		return nil, []string{err.Error()}
	}
	passed := 0
	for _, o := range in.results.below(featureTest.pkg, featureTest.test) {
		if o.ok() {
			passed += o.ran
		}
	}
	switch {
	case written < leastScenarios:
		faults = append(faults, fmt.Sprintf("%s has %d scenarios, want at least %d", featureFolder, written, leastScenarios))
	case passed < written:
		faults = append(faults, fmt.Sprintf("%d scenarios passed, %s has %d", passed, featureFolder, written))
	}
	return []string{fmt.Sprintf("%d scenarios written, %d passed", written, passed)}, faults
}

// countScenarios counts in all feature files; an outline counts once for each of
// its examples.
func countScenarios(tree fs.FS) (count int, err error) {
	err = fs.WalkDir(tree, featureFolder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".feature" {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		count += countIn(string(text))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("reading scenarios: %w", err)
	}
	return count, nil
}

func countIn(text string) (count int) {
	inExamples, quoted := false, false
	rows := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, `"""`) || strings.HasPrefix(line, "```") {
			quoted = !quoted
		}
		switch {
		case quoted:
		case strings.HasPrefix(line, "Scenario Outline:"), strings.HasPrefix(line, "Scenario Template:"):
			inExamples = false
		case strings.HasPrefix(line, "Scenario:"), strings.HasPrefix(line, "Example:"):
			inExamples = false
			count++
		case strings.HasPrefix(line, "Examples:"), strings.HasPrefix(line, "Scenarios:"):
			inExamples, rows = true, 0
		case inExamples && strings.HasPrefix(line, "|"):
			if rows++; rows > 1 { // the first names the columns
				count++
			}
		}
	}
	return count
}
