package main

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The page is opened by the system's own program, with the URL as one argument; without a
// display, or without the program, the URL is said instead.
func TestThePageIsOpenedOrNamed(t *testing.T) {
	const url = "http://127.0.0.1:8082/"
	for name, c := range map[string]struct {
		system, display string
		missing         bool
		fails           bool
		argv            []string // of the program that starts
		says            string
	}{
		"Linux":                   {system: "linux", display: "DISPLAY", argv: []string{"xdg-open", url}},
		"Wayland":                 {system: "linux", display: "WAYLAND_DISPLAY", argv: []string{"xdg-open", url}},
		"macOS":                   {system: "darwin", argv: []string{"open", url}},
		"Windows":                 {system: "windows", argv: []string{"rundll32", "url.dll,FileProtocolHandler", url}},
		"no display":              {system: "linux", says: "--open: there is no display here; open " + url + " in a browser.\n"},
		"no xdg-open":             {system: "linux", display: "DISPLAY", missing: true, says: "--open: xdg-open did not start: not found; open " + url + " in a browser.\n"},
		"a program that does not": {system: "linux", display: "DISPLAY", fails: true, argv: []string{"xdg-open", url}, says: "--open: xdg-open did not start: no memory; open " + url + " in a browser.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var started []string
			var out strings.Builder
			opener{
				system: c.system,
				getenv: func(name string) string {
					if name == c.display {
						return ":0"
					}
					return ""
				},
				find: func(name string) (string, error) {
					if c.missing {
						return "", errors.New("not found")
					}
					return name, nil
				},
				start: func(cmd *exec.Cmd) error {
					started = cmd.Args
					if c.fails {
						return errors.New("no memory")
					}
					return nil
				},
			}.open(&out, url)
			if !slices.Equal(started, c.argv) || out.String() != c.says {
				t.Errorf("started %q, want %q; said %q, want %q", started, c.argv, out.String(), c.says)
			}
		})
	}
}
