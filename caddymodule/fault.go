package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// severity is the effect of a fault on lint and on the start.
type severity uint8

const (
	// warning is a warning of lint.
	warning severity = iota
	// lintError is an error of lint; the configuration starts.
	lintError
	// refused is an error of lint, and `validate` and the start refuse it.
	refused
)

// Fault is a mistake in a configuration that weakens or bypasses its guards. Faults are
// found in the adapted configuration, so that JSON and every directive that produces
// the same handler are checked alike.
type Fault struct {
	severity severity

	Server string // "" for a fault that belongs to no server
	Text   string // what is wrong, and how to fix it

	Guard string // configuration of the guard that has the fault; "" for other faults
	Rule  int    // of the guard, counted from 1; 0: the guard itself
}

// IsWarning reports whether the fault is only a warning. It may be intended, so it is
// logged and refuses nothing.
func (f Fault) IsWarning() bool { return f.severity == warning }

// faultChecks each check a whole configuration. A file that has one adds it in an init
// function.
var faultChecks []func(*inspection) []Fault

// Faults runs all checks on a configuration.
func (c *Config) Faults() []Fault {
	in := inspect(c)
	var faults []Fault
	if in.tooDeep {
		faults = append(faults, faultf(in.severityAnywhere(), "", "the routes are nested too deep, or named routes call each other; authmin cannot tell which handlers have no guard"))
	}
	for _, check := range faultChecks {
		faults = append(faults, check(in)...)
	}
	return faults
}

// maxRefusals bounds the faults that one error lists.
const maxRefusals = 8

// refusalOf returns an error that lists the faults with severity refused; nil if there
// are none.
func refusalOf(faults []Fault) error {
	var texts []string
	for _, f := range faults {
		if f.severity != refused || slices.Contains(texts, f.Text) {
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

// inGuard sets the guard that has the fault, and the rule, counted from 1.
func (f Fault) inGuard(h inspected, rule int) Fault {
	f.Guard, f.Rule = canonical(h.raw), rule
	return f
}

// severityOn is the severity of a fault that bypasses the guards of a server. Without a
// guard on that server there is nothing to protect, and the start is not refused.
func (in *inspection) severityOn(server string) severity {
	if in.guarded[server] {
		return refused
	}
	return lintError
}

// severityAnywhere is severityOn for faults that affect every server.
func (in *inspection) severityAnywhere() severity {
	if len(in.guarded) > 0 || in.App.configured {
		return refused
	}
	return lintError
}

func faultf(s severity, server, format string, args ...any) Fault {
	return Fault{severity: s, Server: server, Text: fmt.Sprintf(format, args...)}
}
