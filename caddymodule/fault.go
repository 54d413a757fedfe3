package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// gravity says what a fault of a configuration leads to.
type gravity uint8

const (
	// suspect is a warning of lint's.
	suspect gravity = iota
	// wrong is an error of lint's; the configuration starts.
	wrong
	// refused is an error of lint's, and `validate` and the start refuse it.
	refused
)

// Fault is one way in which a configuration gives away what its guards protect. It
// is found in the adapted configuration, so that JSON and every directive that
// makes the same handler are judged alike.
type Fault struct {
	gravity gravity

	Server string // "" for what belongs to no server
	Text   string // what is wrong, and the mend

	Guard string // its configuration, where it is a guard's own fault
	Rule  int    // of the guard, counted from 1; 0: the guard itself
}

// IsWarning reports whether the fault may be meant: it is logged and shown, and
// refuses nothing.
func (f Fault) IsWarning() bool { return f.gravity == suspect }

// examinations look at a whole configuration. A file that has one adds it in an
// init function.
var examinations []func(*inspection) []Fault

// Faults examines a configuration in every way.
func (c *Config) Faults() []Fault {
	in := inspect(c)
	var faults []Fault
	if in.tooDeep {
		faults = append(faults, faultf(in.severityAnywhere(), "", "the routes are nested too deep, or named routes call each other; authmin cannot tell what they give away"))
	}
	for _, examine := range examinations {
		faults = append(faults, examine(in)...)
	}
	return faults
}

// maxRefusals bounds the faults that one refusal names.
const maxRefusals = 8

// refusalOf is the error of a configuration with faults that are refused; nil when
// there is none.
func refusalOf(faults []Fault) error {
	var texts []string
	for _, f := range faults {
		if f.gravity != refused || slices.Contains(texts, f.Text) {
			continue
		}
		if len(texts) == maxRefusals {
			texts = append(texts, "and more; see `authmin lint`")
			break
		}
		texts = append(texts, f.Text)
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// of says which guard has the fault, and which of its rules, counted from 1.
func (f Fault) of(h inspected, rule int) Fault {
	f.Guard, f.Rule = canonical(h.raw), rule
	return f
}

// severity is refused where a guard would be got round by it, and only wrong on a
// server that has no guard: there it is not for us to refuse.
func (in *inspection) severity(server string) gravity {
	if in.guarded[server] {
		return refused
	}
	return wrong
}

// severityAnywhere is the same for what concerns every server.
func (in *inspection) severityAnywhere() gravity {
	if len(in.guarded) > 0 || in.App.configured {
		return refused
	}
	return wrong
}

func faultf(g gravity, server, format string, args ...any) Fault {
	return Fault{gravity: g, Server: server, Text: fmt.Sprintf(format, args...)}
}
