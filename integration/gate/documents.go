package main

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A document is one that an operator needs, found by its title, since a file may
// be called otherwise; it has to have a part about each subject.
type document struct {
	name     string
	folder   string
	title    *regexp.Regexp // of the first heading, or of a section
	section  bool           // the document is the section of that title
	subjects []string       // regular expressions, in any case
}

var documents = []document{
	{"token guide", "deploy/docs", regexp.MustCompile(`(?i)token`), false,
		[]string{"token new", "rotat", "revo[ck]", "systemd", "kubernetes", "bind.mount", "_FILE"}},
	{"deployment checklist", "deploy/docs", regexp.MustCompile(`(?i)check-?\s?list`), false,
		[]string{"(?m)^```sh$"}},
	{"incident runbooks", "deploy/docs", regexp.MustCompile(`(?i)runbook|incident`), false,
		[]string{"leaked", "brute.force|guess", "tamper", "exposed", "hostile", "lost", "certificate", "(?m)^```sh$"}},
	{"threat model", "deploy/docs", regexp.MustCompile(`(?i)threat`), false,
		[]string{"remain"}},
	{"security section of the README", ".", regexp.MustCompile(`(?i)^security`), true,
		[]string{"refuses to start", "tokens", "loopback bypass"}},
}

// commandTest runs the commands of deploy/docs, a subtest for each file.
var commandTest = named{"./integration", "TestDocuments", 4}

// leastDocument is fewer letters than any of them has: below is a stub.
const leastDocument = 1000

// complete looks for each document, its subjects, and the run of its commands.
func complete(in *inputs) (evidence, faults []string) {
	for _, d := range documents {
		file, text := d.find(in.tree)
		if file == "" {
			faults = append(faults, fmt.Sprintf("%s: no document in %s has such a title", d.name, d.folder))
			continue
		}
		if len(text) < leastDocument {
			faults = append(faults, fmt.Sprintf("%s: %s has %d characters, want at least %d", d.name, file, len(text), leastDocument))
		}
		for _, subject := range d.subjects {
			if !regexp.MustCompile(`(?i)` + subject).MatchString(text) {
				faults = append(faults, fmt.Sprintf("%s: %s says nothing of %q", d.name, file, subject))
			}
		}
		ran := testID{commandTest.pkg, commandTest.test + "/" + path.Base(file)}
		if !d.section && !in.results.tests[ran].ok() {
			faults = append(faults, fmt.Sprintf("%s: the commands of %s did not run and pass, see %s", d.name, file, commandTest.test))
		}
		evidence = append(evidence, d.name+": "+file)
	}
	return evidence, faults
}

// find gives the document's file and text.
func (d document) find(tree fs.FS) (file, text string) {
	entries, err := fs.ReadDir(tree, d.folder)
	if err != nil {
		return "", ""
	}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".md" {
			continue
		}
		content, err := fs.ReadFile(tree, path.Join(d.folder, e.Name()))
		if err != nil {
			continue
		}
		for i, part := range sections(string(content)) {
			title, body, _ := strings.Cut(part, "\n")
			switch {
			case d.section && i > 0 && d.title.MatchString(title):
				return e.Name(), body
			case !d.section && i == 0 && d.title.MatchString(title):
				return path.Join(d.folder, e.Name()), string(content)
			}
		}
	}
	return "", ""
}

// sections cuts a document at its headings of the first two levels; the first
// part begins with the title.
func sections(text string) []string {
	parts := regexp.MustCompile(`(?m)^##? +`).Split(text, -1)
	return slices.DeleteFunc(parts, func(p string) bool { return strings.TrimSpace(p) == "" })
}
