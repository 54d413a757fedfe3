package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// style is how text is emphasized; the zero style not at all.
type style struct{ colored bool }

// styleOf colors a terminal, unless NO_COLOR is set (no-color.org) or the terminal
// is dumb.
func styleOf(w io.Writer) style {
	return style{colored: isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (s style) wrap(code, text string) string {
	if !s.colored {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// title is a heading.
func (s style) title(text string) string { return s.wrap("1", text) }

// warning is what must not be overlooked.
func (s style) warning(text string) string { return s.wrap("33", text) }
