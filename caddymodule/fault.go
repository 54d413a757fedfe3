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

// fault is one way in which a configuration gives away what its guards protect. It
// is found in the adapted configuration, so that JSON and every directive that
// makes the same handler are judged alike.
type fault struct {
	gravity gravity
	server  string // "" for what belongs to no server
	text    string // what is wrong, and the mend

	guard string // its configuration, where it is a guard's own fault
	rule  int    // of the guard, counted from 1; 0: the guard itself
}

// examinations look at a whole configuration. A file that has one adds it in an
// init function.
var examinations []func(*inspection) []fault

// faultsOf examines a configuration in every way.
func faultsOf(s *settings) []fault {
	in := inspect(s)
	var faults []fault
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
func refusalOf(faults []fault) error {
	var texts []string
	for _, f := range faults {
		if f.gravity != refused || slices.Contains(texts, f.text) {
			continue
		}
		if len(texts) == maxRefusals {
			texts = append(texts, "and more; see `authmin lint`")
			break
		}
		texts = append(texts, f.text)
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// lintFaults reports the faults with their places.
func lintFaults(s *settings) []finding {
	faults := faultsOf(s)
	unplaced := func(s *settings) (list []sighting) {
		for _, f := range faultsOf(s) {
			if f.guard == "" {
				list = append(list, f.sighting())
			}
		}
		return list
	}
	places := locate(s, unplaced, appName, "order")
	written := guardsWritten(s.blocks)
	var findings []finding
	for _, f := range faults {
		place := places
		if f.guard != "" {
			place = map[string][]position{f.text: {f.placeIn(written[f.guard], s.file)}}
		}
		findings = append(findings, f.sighting().report(place, f.gravity == suspect, f.text)...)
	}
	return findings
}

// placeIn is the line of the guard, or of its rule, that a fault belongs to.
func (f fault) placeIn(guard placedGuard, file string) position {
	switch {
	case guard.at.line == 0:
		return position{file: file}
	case f.rule > 0 && f.rule <= len(guard.rules):
		return guard.rules[f.rule-1]
	}
	return guard.at
}

// sighting makes a fault something that locate can find the line of.
func (f fault) sighting() sighting {
	return sighting{server: f.server, handler: f.text}
}

// of says which guard has the fault, and which of its rules, counted from 1.
func (f fault) of(h inspected, rule int) fault {
	f.guard, f.rule = canonical(h.raw), rule
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
	if len(in.guarded) > 0 || in.app.configured {
		return refused
	}
	return wrong
}

func faultf(g gravity, server, format string, args ...any) fault {
	return fault{gravity: g, server: server, text: fmt.Sprintf(format, args...)}
}
