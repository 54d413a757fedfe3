package attacks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// seen is what the echo upstream reports of a request.
type seen struct {
	Method   string              `json:"method"`
	URI      string              `json:"uri"`
	Path     string              `json:"path"`
	Host     string              `json:"host"`
	Headers  map[string][]string `json:"headers"`
	Trailers map[string][]string `json:"trailers"`
	BodyLen  int64               `json:"body_len"`
}

// An outcome is everything known about one run of a case.
type outcome struct {
	wire      []byte // the request
	raw       []byte // the answer
	responses []response
	reached   bool  // a response came from the upstream
	requests  int   // how many the upstream counted
	up        *seen // the last one, where a response carried it
}

func newOutcome(wire, raw []byte, requests int) outcome {
	return outcomeOf(wire, raw, parse(raw, isHead(wire)), requests)
}

func outcomeOf(wire, raw []byte, responses []response, requests int) outcome {
	o := outcome{wire: wire, raw: raw, requests: requests, responses: responses}
	for _, r := range o.responses {
		if r.header["x-echo"] == nil {
			continue
		}
		o.reached = true
		var up seen
		if json.Unmarshal(r.body, &up) == nil {
			o.up = &up
		}
	}
	return o
}

// statuses are those of the final responses; none at all is a single 0.
func (o outcome) statuses() []int {
	var final []int
	for _, r := range o.responses {
		if r.status != 100 {
			final = append(final, r.status)
		}
	}
	if len(o.responses) == 0 {
		return []int{0}
	}
	return final
}

// target is the second word of the request.
func (o outcome) target() string {
	words := bytes.SplitN(o.wire, []byte(" "), 3)
	if len(words) < 3 {
		return ""
	}
	return string(words[1])
}

// judge lists every expectation that the outcome does not meet.
func judge(e expect, o outcome) []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	judgeStatus(e, o.statuses(), say)
	if e.Upstream != nil && !*e.Upstream && (o.reached || o.requests > 0) {
		say("the upstream was reached, %d requests", o.requests)
	}
	if e.Upstream != nil && *e.Upstream && !o.reached {
		say("the upstream was not reached")
	}
	if e.SingleUpstream && o.requests > 1 {
		say("%d upstream requests, want at most one", o.requests)
	}
	if o.up != nil {
		judgeUpstream(e, *o.up, o.target(), say)
	}
	judgeResponse(e, o, say)
	return bad
}

func judgeStatus(e expect, got []int, say func(string, ...any)) {
	first := 0
	if len(got) > 0 {
		first = got[0]
	}
	if e.Status != nil && !slices.Contains(e.Status, first) {
		say("status %v, want one of %v", got, e.Status)
	}
	if slices.ContainsFunc(got, func(s int) bool { return slices.Contains(e.NotStatus, s) }) {
		say("status %v, want none of %v", got, e.NotStatus)
	}
	if e.StatusList != nil && !fits(got, e.StatusList) {
		say("statuses %v, want %v", got, e.StatusList)
	}
	if e.StatusListAlt != nil && !slices.ContainsFunc(e.StatusListAlt, func(l [][]int) bool { return fits(got, l) }) {
		say("statuses %v, want one of %v", got, e.StatusListAlt)
	}
}

// fits compares a list of statuses with the allowed ones at each place.
func fits(got []int, want [][]int) bool {
	if len(got) != len(want) {
		return false
	}
	for i, status := range got {
		if !slices.Contains(want[i], status) {
			return false
		}
	}
	return true
}

func judgeUpstream(e expect, up seen, target string, say func(string, ...any)) {
	headers, trailers := lower(up.Headers), lower(up.Trailers)
	for _, name := range e.UpAbsent {
		if v, ok := headers[strings.ToLower(name)]; ok {
			say("the upstream saw %s: %q", name, v)
		}
	}
	for _, name := range e.UpPresent {
		if _, ok := headers[strings.ToLower(name)]; !ok {
			say("the upstream did not see %s", name)
		}
	}
	for name, want := range e.UpEquals {
		if v := headers[strings.ToLower(name)]; !slices.Equal(v, []string{want}) {
			say("the upstream saw %s: %q, want %q alone", name, v, want)
		}
	}
	for _, name := range e.UpTrailerAbsent {
		if v, ok := trailers[strings.ToLower(name)]; ok {
			say("the upstream saw the trailer %s: %q", name, v)
		}
	}
	if e.UpURIVerbatim && up.URI != target {
		say("the target %q arrived as %q", target, up.URI)
	}
	if e.UpNoHash && strings.Contains(up.URI, "#") {
		say("a # was forwarded: %q", up.URI)
	}
	if e.BodyLen != nil && up.BodyLen != *e.BodyLen {
		say("the upstream read %d bytes, want %d", up.BodyLen, *e.BodyLen)
	}
}

// judgeResponse looks at the first final response, and for what must not be
// reflected at every byte of the answer.
func judgeResponse(e expect, o outcome, say func(string, ...any)) {
	header := map[string][]string{}
	if i := slices.IndexFunc(o.responses, func(r response) bool { return r.status != 100 }); i >= 0 {
		header = o.responses[i].header
	}
	for name, pattern := range e.RespHeader {
		values := header[strings.ToLower(name)]
		if !slices.ContainsFunc(values, regexp.MustCompile(pattern).MatchString) {
			say("%s: %q, want %s", name, values, pattern)
		}
	}
	for _, name := range e.RespAbsent {
		if v, ok := header[strings.ToLower(name)]; ok {
			say("the response has %s: %q", name, v)
		}
	}
	for name, forbidden := range e.RespAbsentValue {
		for _, v := range header[strings.ToLower(name)] {
			if slices.Contains(forbidden, v) {
				say("the response has %s: %s", name, v)
			}
		}
	}
	if e.RespNotContains != "" && bytes.Contains(o.raw, []byte(e.RespNotContains)) {
		say("the response reflects %q", e.RespNotContains)
	}
}

func lower(headers map[string][]string) map[string][]string {
	all := map[string][]string{}
	for name, values := range headers {
		name = strings.ToLower(name)
		all[name] = append(all[name], values...)
	}
	return all
}
