package cli

import (
	"slices"

	"github.com/llorch/gateway/caddymodule"
)

// locate finds the lines that handlers or faults come from. what lists their keys in a
// configuration. An adapted configuration has no line numbers, so locate removes
// statements one at a time, adapts the rest, and sees which keys are gone. That works for
// a directive of a plug-in, a snippet, and a directive that makes ten handlers. A key
// without a line is placed at its file.
func locate(s *settings, what func(*caddymodule.Config) []string, except ...string) map[string][]position {
	l := locator{settings: s, what: what, except: except, places: map[string][]position{}, sites: map[string][]position{}}
	full := count(what(s.Config))
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
		if len(l.places[key]) == 0 && len(l.sites[key]) > 0 {
			l.places[key] = l.sites[key][:1]
		} else if placed[key] < n || len(l.places[key]) == 0 {
			l.places[key] = append(l.places[key], position{file: s.file})
		}
	}
	return l.places
}

type locator struct {
	settings *settings
	what     func(*caddymodule.Config) []string
	except   []string // directives that are not the cause, and are not searched
	places   map[string][]position
	sites    map[string][]position // whole sites, for keys without another place
	trials   int
}

// search finds the smallest statements whose removal removes a key, and returns how
// many of each key are gone without st.
func (l *locator) search(st *statement, full map[string]int) map[string]int {
	if slices.Contains(l.except, st.word) {
		return nil
	}
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
	if !adapts { // other statements need it, such as a named route
		return within
	}
	places := l.places
	if st.segment < 0 && len(l.except) > 0 {
		places = l.sites // without its guard a site has no fault
	}
	for key, n := range gone {
		if within[key] < n && !slices.Contains(places[key], st.at) && st.at.file != "" {
			places[key] = append(places[key], st.at)
		}
	}
	return gone
}

// trial removes a statement, and counts the keys that are gone with it.
func (l *locator) trial(st *statement, full map[string]int) (gone map[string]int, adapts bool) {
	if l.trials++; l.trials > maxTrials {
		return nil, true
	}
	config, err := adaptBlocks(st.without(l.settings.blocks))
	if err != nil {
		return nil, false
	}
	rest, err := caddymodule.DecodeConfig(config)
	if err != nil {
		return nil, false
	}
	left := count(l.what(rest))
	gone = map[string]int{}
	for key, n := range full {
		if left[key] < n {
			gone[key] = n - left[key]
		}
	}
	return gone, true
}

// locateKey is the key of a handler: its kind and not its whole configuration, which
// changes with every line that is removed from it. A rewrite is one line.
func locateKey(h caddymodule.RouteHandler) string {
	if h.Name == "rewrite" {
		return h.Raw
	}
	if h.InErrorRoutes {
		return h.Name + " in error routes"
	}
	return h.Name
}

func count(keys []string) map[string]int {
	n := map[string]int{}
	for _, key := range keys {
		n[key]++
	}
	return n
}
