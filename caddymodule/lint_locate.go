package caddymodule

import "slices"

// locate finds the lines that sightings come from. The adapted configuration
// knows no lines, so it takes statements away one by one, adapts what is left,
// and sees what is gone: a directive of a plug-in, a snippet, and one that makes
// ten handlers are found in the same way. A sighting without a place here is
// still reported, at its file.
func locate(s *settings, what func(*coverage) []sighting) map[string][]position {
	l := locator{settings: s, what: what, places: map[string][]position{}}
	full := count(what(coverageOf(s)))
	if len(full) == 0 {
		return l.places
	}
	placed := map[string]int{}
	for _, site := range statements(s.blocks) {
		for key, n := range l.search(site, full) {
			placed[key] += n
		}
	}
	for key, n := range full {
		if placed[key] < n {
			l.places[key] = append(l.places[key], position{file: s.file})
		}
	}
	return l.places
}

type locator struct {
	settings *settings
	what     func(*coverage) []sighting
	places   map[string][]position
	trials   int
}

// search notes which statements are the smallest that sightings go away with,
// and returns how many of each went.
func (l *locator) search(st *statement, full map[string]int) map[string]int {
	gone, adapts := l.trial(st, full)
	if adapts && len(gone) == 0 {
		return nil
	}
	within := map[string]int{}
	for _, inner := range st.inner {
		for key, n := range l.search(inner, full) {
			within[key] += n
		}
	}
	if !adapts { // others need it, such as a named route
		return within
	}
	for key, n := range gone {
		if within[key] < n && !slices.Contains(l.places[key], st.at) {
			l.places[key] = append(l.places[key], st.at)
		}
	}
	return gone
}

// trial takes a statement away, and counts which sightings go with it.
func (l *locator) trial(st *statement, full map[string]int) (gone map[string]int, adapts bool) {
	if l.trials++; l.trials > maxTrials {
		return nil, true
	}
	config, err := adaptBlocks(st.without(l.settings.blocks))
	if err != nil {
		return nil, false
	}
	rest := &settings{config: config}
	if rest.decode() != nil {
		return nil, false
	}
	left := count(l.what(coverageOf(rest)))
	gone = map[string]int{}
	for key, n := range full {
		if left[key] < n {
			gone[key] = n - left[key]
		}
	}
	return gone, true
}

// key tells apart what locate looks for. It is the kind of handler and not its
// whole configuration, which changes with every line that is taken out of it; a
// rewrite is one line.
func (seen sighting) key() string {
	if seen.handler == "rewrite" {
		return seen.raw
	}
	if seen.errors {
		return seen.handler + " in error routes"
	}
	return seen.handler
}

func count(list []sighting) map[string]int {
	n := map[string]int{}
	for _, seen := range list {
		n[seen.key()]++
	}
	return n
}
