package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, checkCommand)
}

func checkCommand() *cobra.Command {
	var config, proc string
	cmd := &cobra.Command{
		Use:   "check --config CADDYFILE",
		Short: "Runs validate, lint and doctor on a configuration, and lists errors first",
		Long: `
Loads the configuration as a start would, without opening a port, and checks which
routes it leaves open, its secrets and files, and this machine. Prints errors first,
then warnings and notes, each with FILE:LINE where that is known, and with a fix. Run
it as the gateway's user, with its environment. A secret's variable or a credential of
systemd that is missing here is a note: the rest is checked with another value.
Exit status 1 when there is an error. It prints no secret.`,
		Args: arguments(0, 0, "no argument; the configuration goes with --config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				return errNoConfig
			}
			caddy.BufferedLog() // never shown: the findings are in the list
			list, err := check(config, host{proc: proc, getenv: os.LookupEnv})
			if err != nil {
				return err
			}
			return printCheck(cmd.OutOrStdout(), cmd.ErrOrStderr(), config, list)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "The Caddyfile, or a JSON configuration")
	cmd.Flags().StringVar(&proc, "proc", "/proc", "Where the machine's proc file system is, seen from a container")
	return cmd
}

// Levels of findings, the most severe first.
const (
	levelError = iota
	levelWarning
	levelNote
)

var levelNames = [...]string{levelError: "error", levelWarning: "warning", levelNote: "note"}

// checked is one line of the report.
type checked struct {
	level int
	at    position
	text  string
}

// check runs validate, lint and doctor. The error is for a file that cannot be read. A
// file that is not a configuration is a finding like the others.
func check(path string, h host) ([]checked, error) {
	if _, err := readText(path); err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	findings, err := lint(path)
	if err != nil {
		return []checked{{at: placeInError(path, err.Error()), text: err.Error()}}, nil
	}
	list := make([]checked, 0, len(findings))
	for _, f := range findings {
		c := checked{level: levelError, at: f.at, text: f.text}
		if f.warning {
			c.level = levelWarning
		}
		list = append(list, c)
	}
	s, err := readSettings(path)
	if err != nil {
		return sortedChecks(list), nil // lint has reported it
	}
	start := ""
	if err := s.validate(h); err != nil {
		start = err.Error()
		list = append(list, checked{level: levelError, at: s.placeOf(err.Error()), text: err.Error()})
	}
	d := &doctor{host: h, settings: s}
	d.examineAdminSocket()
	d.examineButLint()
	for _, f := range d.findings {
		c := checked{level: levelNote, at: s.placeOf(f.what), text: f.what}
		switch f.degree {
		case fine:
			continue
		case problem:
			c.level = levelError
			if strings.Contains(start, f.what) {
				continue
			}
		}
		if f.fix != "" {
			c.text += "; fix: " + f.fix
		}
		list = append(list, c)
	}
	return sortedChecks(list), nil
}

func sortedChecks(list []checked) []checked {
	slices.SortStableFunc(list, func(a, b checked) int {
		return cmp.Or(cmp.Compare(a.level, b.level), strings.Compare(a.at.file, b.at.file), cmp.Compare(a.at.line, b.at.line), strings.Compare(a.text, b.text))
	})
	return slices.Compact(list)
}

func printCheck(out, stderr io.Writer, config string, list []checked) error {
	var count [len(levelNames)]int
	for _, c := range list {
		count[c.level]++
		if _, err := fmt.Fprintf(out, "%s: %s: %s\n", c.at, levelNames[c.level], strings.ReplaceAll(c.text, "\n", "; ")); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	text := fmt.Sprintf("check: %s: errors: %d, warnings: %d, notes: %d", config, count[levelError], count[levelWarning], count[levelNote])
	if count[levelError] > 0 {
		return errors.New(text)
	}
	_, _ = fmt.Fprintln(stderr, text)
	return nil
}

var (
	placeAtEnd  = regexp.MustCompile(`, at ([^\s:,]+):(\d+)`)
	placeInside = regexp.MustCompile(`(?:^|\s)([^\s:,]+):(\d+)(?::|\s-\s)`)
)

// placeInError is the file and line that a parser's error names.
func placeInError(file, text string) position {
	for _, pattern := range []*regexp.Regexp{placeAtEnd, placeInside} {
		if match := pattern.FindStringSubmatch(text); match != nil {
			line, err := strconv.Atoi(match[2])
			if err == nil {
				return position{file: match[1], line: line}
			}
		}
	}
	return position{file: file}
}

var (
	namedToken = regexp.MustCompile(`\btoken ([a-z0-9_-]{1,64})\b`)
	namedGuard = regexp.MustCompile(`\bguard ([a-z0-9_-]{1,64})\b`)
)

// placeOf finds the line of the token, guard or file that a text names. Otherwise it is
// the configuration without a line.
func (s *settings) placeOf(text string) position {
	if match := namedGuard.FindStringSubmatch(text); match != nil {
		guards, _ := guardsOf(s)
		for _, g := range guards {
			if g.Name == match[1] {
				return g.at
			}
		}
	}
	name := ""
	if match := namedToken.FindStringSubmatch(text); match != nil {
		name = match[1]
	}
	found := position{file: s.file}
	s.eachStatement(func(st *statement, words []string) {
		switch {
		case found.line != 0 || len(words) < 2:
		case words[0] == "token" && words[1] == name,
			words[0] == "token_file" && strings.Contains(text, words[1]),
			words[0] == "admin" && strings.Contains(text, "admin endpoint"),
			words[0] == "admin" && strings.Contains(text, "admin socket"):
			found = st.at
		}
	})
	return found
}

// eachStatement visits the statements of the text with their words.
func (s *settings) eachStatement(visit func(st *statement, words []string)) {
	var walk func(st *statement)
	walk = func(st *statement) {
		if st.segment >= 0 {
			var words []string
			for _, token := range s.blocks[st.block].Segments[st.segment][st.start:st.end] {
				if isBrace(token, "{") {
					break
				}
				words = append(words, token.Text)
			}
			visit(st, words)
		}
		for _, inner := range st.inner {
			walk(inner)
		}
	}
	for _, site := range statements(s.blocks) {
		walk(site)
	}
}
