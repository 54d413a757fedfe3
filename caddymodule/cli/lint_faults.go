package cli

import "github.com/llorch/gateway/caddymodule"

// lintFaults reports the faults that refuse a start or are worth a warning, with their
// places.
func lintFaults(s *settings) []finding {
	faults := s.Faults()
	unplaced := func(c *caddymodule.Config) (keys []string) {
		for _, f := range c.Faults() {
			if f.Guard == "" {
				keys = append(keys, f.Text)
			}
		}
		return keys
	}
	places := locate(s, unplaced, caddymodule.AppName, "order")
	written := guardsWritten(s.blocks)
	var findings []finding
	for _, f := range faults {
		at := places[f.Text]
		if f.Guard != "" {
			at = []position{faultPlace(f, written[f.Guard], s.file)}
		}
		findings = append(findings, findingsAt(at, f.Server, f.IsWarning(), f.Text)...)
	}
	return findings
}

// faultPlace is the line of the guard, or of its rule, that a fault belongs to.
func faultPlace(f caddymodule.Fault, guard placedGuard, file string) position {
	switch {
	case guard.at.line == 0:
		return position{file: file}
	case f.Rule > 0 && f.Rule <= len(guard.rules):
		return guard.rules[f.Rule-1]
	}
	return guard.at
}
