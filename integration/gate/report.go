package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// A report is all that one run of the gate found.
type report struct {
	Tree     string    `json:"tree"` // SHA-256 over all files
	Commit   string    `json:"commit"`
	Criteria []verdict `json:"criteria"`
	P0       []verdict `json:"p0"`
	SignOffs []signOff `json:"sign_offs"`
	Passed   bool      `json:"passed"`
}

// judgeAll judges rows of both lists; it passes when each of them does, and when
// there is at least one.
func judgeAll(criteria, blockers []row, in *inputs) report {
	rep := report{Tree: in.hash, SignOffs: signOffs, Passed: len(criteria)+len(blockers) > 0, Criteria: []verdict{}, P0: []verdict{}}
	for _, r := range criteria {
		v := judge(r, in)
		rep.Criteria, rep.Passed = append(rep.Criteria, v), rep.Passed && v.Passed
	}
	for _, r := range blockers {
		v := judge(r, in)
		rep.P0, rep.Passed = append(rep.P0, v), rep.Passed && v.Passed
	}
	return rep
}

// formats are the ways to print a report.
var formats = map[string]func(io.Writer, report) error{"text": writeText, "json": writeJSON, "markdown": writeMarkdown}

func writeJSON(w io.Writer, rep report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(rep)
}

func writeText(w io.Writer, rep report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Security gate of commit %s, files %.12s\n", rep.Commit, rep.Tree)
	for _, part := range parts(rep) {
		fmt.Fprintf(&b, "\n%s\n\n", part.title)
		for _, v := range part.verdicts {
			fmt.Fprintf(&b, "%s  %-4s %s\n", word(v.Passed), v.ID, v.Title)
			for _, text := range v.Faults {
				fmt.Fprintf(&b, "           ! %s\n", text)
			}
			for _, text := range v.Evidence {
				fmt.Fprintf(&b, "           %s\n", text)
			}
			fmt.Fprintf(&b, "           repeat: %s\n", v.Command)
			for _, text := range v.Tests {
				fmt.Fprintf(&b, "                   %s\n", text)
			}
		}
	}
	fmt.Fprintf(&b, "\nSign-offs by people: open, and no part of the result\n\n")
	for _, s := range rep.SignOffs {
		fmt.Fprintf(&b, "open  %-10s %s\n           name: %-30s date: %s\n", s.Role, s.What, blank(s.Name), blank(s.Date))
	}
	fmt.Fprintf(&b, "\n%s\n", summary(rep))
	_, err := io.WriteString(w, b.String())
	return err
}

func writeMarkdown(w io.Writer, rep report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Security gate\n\nCommit `%s`, files `%.12s`. %s\n", rep.Commit, rep.Tree, summary(rep))
	for _, part := range parts(rep) {
		fmt.Fprintf(&b, "\n## %s\n\n| | row | criterion | evidence | repeat |\n| --- | --- | --- | --- | --- |\n", part.title)
		for _, v := range part.verdicts {
			var cell []string
			for _, text := range v.Faults {
				cell = append(cell, "**"+escape(text)+"**")
			}
			for _, text := range v.Evidence {
				cell = append(cell, escape(text))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` |\n", word(v.Passed), v.ID, escape(v.Title), strings.Join(cell, "<br>"), v.Command)
		}
	}
	fmt.Fprintf(&b, "\n## Sign-offs by people\n\nOpen, and no part of the result.\n\n| | role | what | name | date |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range rep.SignOffs {
		fmt.Fprintf(&b, "| open | %s | %s | %s | %s |\n", s.Role, escape(s.What), s.Name, s.Date)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type reportPart struct {
	title    string
	verdicts []verdict
}

// parts leaves out a list of which no row was chosen.
func parts(rep report) (all []reportPart) {
	if len(rep.Criteria) > 0 {
		all = append(all, reportPart{"Criteria", rep.Criteria})
	}
	if len(rep.P0) > 0 {
		all = append(all, reportPart{"P0", rep.P0})
	}
	return all
}

func summary(rep report) string {
	result := "FAIL"
	if rep.Passed {
		result = "pass"
	}
	return fmt.Sprintf("Result: %s. Criteria %s, P0 %s, %d sign-offs open.", result, share(rep.Criteria), share(rep.P0), len(rep.SignOffs))
}

func share(verdicts []verdict) string {
	passed := 0
	for _, v := range verdicts {
		if v.Passed {
			passed++
		}
	}
	return fmt.Sprintf("%d of %d", passed, len(verdicts))
}

func word(passed bool) string {
	if passed {
		return "pass"
	}
	return "FAIL"
}

func blank(text string) string {
	if text == "" {
		return "____________________"
	}
	return text
}

// escape keeps text within its cell.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "*", `\*`, "_", `\_`).Replace(text)
}
