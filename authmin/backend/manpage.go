package backend

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// writeManpage is the command manpage: NAME.8 in a directory, which is made, with the
// documentation, keys and credentials that --help has.
func (p Program) writeManpage(args []string, flags *flag.FlagSet, stderr io.Writer) error {
	own := flag.NewFlagSet(p.Name+" manpage", flag.ContinueOnError)
	own.SetOutput(stderr)
	directory := own.String("directory", "", "`directory` that the page goes to; it is made")
	if err := own.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *directory == "" || own.NArg() > 0 {
		return errors.New("manpage: want --directory DIR")
	}
	if err := os.MkdirAll(*directory, 0o755); err != nil {
		return fmt.Errorf("manpage: %w", err)
	}
	if err := os.WriteFile(filepath.Join(*directory, p.Name+".8"), []byte(p.manpage(flags)), 0o644); err != nil {
		return fmt.Errorf("manpage: %w", err)
	}
	return nil
}

// manpage is the manual page, in the macros of man(7).
func (p Program) manpage(flags *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 8 %s %s llorch\n", strings.ToUpper(p.Name), p.Build.Date().Format("2006-01-02"), quoted(p.Name+" "+p.Build.Version))
	text, _, _ := strings.Cut(p.Documentation, "\npackage ")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(line, "\n"), "//"), " "))
	}
	what := strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(lines[0], "Command "+p.Name+" "), "."), "is ")
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", p.Name, roff(what))
	manText(&b, lines[1:])
	b.WriteString(".SH OPTIONS\n")
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		name := strings.TrimSpace("\\fB\\-\\-" + roff(f.Name) + "\\fR " + roff(value))
		fmt.Fprintf(&b, ".TP\n%s\n%s\n", name, roff(usage))
	})
	d := p.New()
	b.WriteString(".SH KEYS\n")
	p.keys(d).man(&b)
	b.WriteString(".SH CREDENTIALS\n")
	for _, secret := range d.Secrets() {
		doc := secret.Doc
		if secret.Fallback != "" {
			doc += "; " + secret.Fallback + " where it is not set"
		}
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR, \\fB%s_FILE\\fR\n%s\n", roff(secret.Variable), roff(secret.Variable), roff(doc))
	}
	return b.String()
}

// manText writes the lines of a package comment. Those before its first text are the
// synopsis.
func manText(b *strings.Builder, lines []string) {
	indented, described, apart, headed := false, false, false, false
	for _, line := range lines {
		block := strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "  ")
		heading, isHeading := strings.CutPrefix(line, "# ")
		if line == "" {
			apart = !indented && !headed
			continue
		}
		if indented && !block {
			b.WriteString(".fi\n")
			apart = true
		}
		switch {
		case isHeading:
			b.WriteString(".SH " + quoted(strings.ToUpper(heading)) + "\n")
		case !described && !block:
			b.WriteString(".SH DESCRIPTION\n")
			described = true
		case apart && described:
			b.WriteString(".PP\n")
		}
		if block && !indented {
			b.WriteString(".nf\n")
		}
		if indented, apart, headed = block, false, isHeading; !isHeading {
			b.WriteString(roff(strings.TrimPrefix(line, "\t")) + "\n")
		}
	}
	if indented {
		b.WriteString(".fi\n")
	}
}

// man writes each key with its meaning, and below it the facts.
func (s Settings) man(b *strings.Builder) {
	for _, setting := range s {
		if setting.Section != "" {
			b.WriteString(".SS " + quoted(setting.Section) + "\n")
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", roff(setting.Key), roff(setting.Doc))
		if facts := setting.facts(); facts != "" {
			fmt.Fprintf(b, ".br\n%s\n", roff(facts))
		}
		if inner, ok := setting.Value.(fields); ok {
			fmt.Fprintf(b, ".RS\n.PP\nEach of %s has:\n", roff(setting.Key))
			inner.Fields().man(b)
			b.WriteString(".RE\n")
		}
	}
}

// roff is a text in which nothing is a command of the formatter.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	var b strings.Builder
	for i, r := range text {
		switch {
		case r >= utf8.RuneSelf: // formatters read ASCII
			fmt.Fprintf(&b, `\[u%04X]`, r)
		case i == 0 && (r == '.' || r == '\''):
			b.WriteString(`\&` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quoted is one argument of a macro.
func quoted(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `\(dq`) + `"` }
