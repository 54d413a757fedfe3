package backend

import (
	"fmt"
	"reflect"
	"strings"
)

// helpWidth is how long a line of the help may be.
const helpWidth = 92

// fields is a value that is a list of objects with settings of their own.
type fields interface{ Fields() Settings }

// Fields are the settings of one object of the list.
func (o *objects[T]) Fields() Settings { return o.settings(new(T)) }

// keys are what --help and the reference describe: the daemon's and log_level.
func (p Program) keys(d Daemon) Settings {
	return append(d.Settings(), p.logLevel(new(string)))
}

// defaultText is the default as a reader sees it; "": there is none.
func (s Setting) defaultText() string {
	switch {
	case s.DefaultDoc != "":
		return s.DefaultDoc
	case s.Default != "":
		return s.Default
	}
	if v := reflect.ValueOf(s.Value.Get()); v.IsValid() && v.Kind() == reflect.Bool {
		return fmt.Sprint(v.Bool())
	}
	return ""
}

// facts are what is known of a setting besides its meaning, in short.
func (s Setting) facts() string {
	var facts []string
	if want := s.Want(); want != "" {
		facts = append(facts, want)
	}
	if text := s.defaultText(); text != "" {
		facts = append(facts, "default "+text)
	} else if s.Variable != "" {
		facts = append(facts, "no default")
	}
	if s.Live {
		facts = append(facts, "HUP takes up a change")
	}
	text := strings.Join(facts, "; ")
	if s.Variable != "" {
		text += " [" + s.Variable + "]"
	}
	return strings.TrimSpace(text)
}

// help is the settings as text: each key with its meaning, and below it the facts.
func (s Settings) help(indent string) string {
	var b strings.Builder
	column := 0
	for _, key := range s.Keys() {
		column = max(column, len(key)+2)
	}
	for _, setting := range s {
		if setting.Section != "" {
			fmt.Fprintf(&b, "\n%s%s:\n\n", indent, setting.Section)
		}
		margin := indent + "  " + strings.Repeat(" ", column)
		text := wrapped(setting.Doc, helpWidth-len(margin))
		if facts := setting.facts(); facts != "" {
			text = append(text, wrapped(facts, helpWidth-len(margin))...)
		}
		for i, line := range text {
			lead := margin
			if i == 0 {
				lead = fmt.Sprintf("%s  %-*s", indent, column, setting.Key)
			}
			b.WriteString(lead + line + "\n")
		}
		if inner, ok := setting.Value.(fields); ok {
			b.WriteString("\n" + indent + "  Each of " + setting.Key + " has:\n\n" + inner.Fields().help(indent+"  ") + "\n")
		}
	}
	return b.String()
}

// wrapped breaks a text into lines of a width, between words.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// help lists the secrets.
func (s Secrets) help() string {
	var b strings.Builder
	for _, secret := range s {
		doc := secret.Doc
		if secret.Fallback != "" {
			doc += "; " + secret.Fallback + " where it is not set"
		}
		fmt.Fprintf(&b, "  %s, %s_FILE\n      %s\n", secret.Variable, secret.Variable, doc)
	}
	return b.String()
}

// reference is the program's part of the configuration reference, in Markdown.
func (p Program) reference() string {
	d := p.New()
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n", p.Name)
	p.keys(d).markdown(&b, "###")
	b.WriteString("\n### Credentials of " + p.Name + "\n\n| variable | or a file that this names | what it is |\n| --- | --- | --- |\n")
	for _, secret := range d.Secrets() {
		doc := secret.Doc
		if secret.Fallback != "" {
			doc += "; `" + secret.Fallback + "` where it is not set"
		}
		fmt.Fprintf(&b, "| `%s` | `%s_FILE` | %s |\n", secret.Variable, secret.Variable, doc)
	}
	return b.String()
}

// markdown writes a table for each section, then those of the objects.
func (s Settings) markdown(b *strings.Builder, level string) {
	var inner []Setting
	for i, setting := range s {
		if setting.Section != "" {
			fmt.Fprintf(b, "\n%s %s\n", level, setting.Section)
		}
		if setting.Section != "" || i == 0 {
			b.WriteString("\n| key | what it does | values | default | variable |\n| --- | --- | --- | --- | --- |\n")
		}
		variable := ""
		if setting.Variable != "" {
			variable = "`" + setting.Variable + "`"
		}
		doc := setting.Doc
		if setting.Live {
			doc += " (HUP takes up a change)"
		}
		cells := []string{"`" + setting.Key + "`", doc, setting.Want(), setting.defaultText(), variable}
		for i := range cells {
			cells[i] = strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;").Replace(cells[i])
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		if _, ok := setting.Value.(fields); ok {
			inner = append(inner, setting)
		}
	}
	for _, setting := range inner {
		fmt.Fprintf(b, "\n%s Each of `%s`\n", level, setting.Key)
		setting.Value.(fields).Fields().markdown(b, level)
	}
}
